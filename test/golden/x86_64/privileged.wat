;; 728 bytes
(module
  (type (;0;) (func (param i64 i32 i32) (result i32)))
  (type (;1;) (func (param i32 i64 i64 i64 i64) (result i64)))
  (type (;2;) (func (param i64 i64 i32) (result i32)))
  (type (;3;) (func (param i64 i64 i64 i32) (result i32)))
  (type (;4;) (func (param i64 i64) (result i64)))
  (type (;5;) (func (param i64 i64 i64 i32)))
  (type (;6;) (func (param i64 i32)))
  (type (;7;) (func (param i64 i32) (result i32)))
  (import "e" "m" (memory (;0;) 1))
  (import "e" "t" (table (;0;) 1 funcref))
  (func (;0;) (type 0) (param i64 i32 i32) (result i32)
    (local i32 i32 i32 i64 i64 i32 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            i32.const 65536
            i64.const 0
            i64.const 0
            i64.const 0
            i64.const 0
            i32.const 2040
            call_indirect (type 1)
            local.set 16
            i64.const 0
            local.set 17
            local.get 16
            i64.const 0
            i64.ne
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              local.get 1
              i64.extend_i32_s
              i64.store offset=131080
              local.get 0
              local.get 17
              i64.const 269
              i32.const 0
              i32.const 5
              call_indirect (type 5)
              i64.const 0
              local.set 9
              i32.const 1
              local.set 8
              br 2 (;@3;)
            end
            i32.const 0
            i64.load offset=67008
            local.set 11
            i64.const 0
            local.set 16
            local.get 11
            i64.const 0
            i64.ne
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              local.get 1
              i64.extend_i32_s
              i64.store offset=131080
              local.get 0
              i64.const 1
              i64.add
              local.get 16
              i64.const 269
              i32.const 1
              i32.const 5
              call_indirect (type 5)
              i64.const 0
              local.set 9
              i32.const 1
              local.set 8
              br 2 (;@3;)
            end
            i32.const 65536
            i64.const 0
            i64.const 0
            i64.const 0
            i64.const 3
            i32.const 2046
            call_indirect (type 1)
            local.set 16
            local.get 16
            local.set 12
            i32.const 0
            local.get 12
            i64.store offset=66272
            i64.const 0
            local.set 16
            local.get 11
            i64.const 0
            i64.ne
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              local.get 1
              i64.extend_i32_s
              i64.store offset=131080
              local.get 0
              i64.const 4
              i64.add
              local.get 16
              i64.const 269
              i32.const 2
              i32.const 5
              call_indirect (type 5)
              i64.const 0
              local.set 9
              i32.const 1
              local.set 8
              br 2 (;@3;)
            end
            i32.const 0
            i64.load offset=66456
            local.set 13
            i32.const 0
            i64.load offset=67016
            local.set 14
            local.get 14
            local.get 13
            local.set 16
            local.set 13
            i32.const 0
            local.get 13
            i64.store offset=66456
            local.get 16
            local.set 14
            i32.const 0
            local.get 14
            i64.store offset=67016
            i64.const 0
            local.set 16
            local.get 11
            i64.const 0
            i64.ne
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              local.get 1
              i64.extend_i32_s
              i64.store offset=131080
              local.get 0
              i64.const 7
              i64.add
              local.get 16
              i64.const 269
              i32.const 3
              i32.const 5
              call_indirect (type 5)
              i64.const 0
              local.set 9
              i32.const 1
              local.set 8
              br 2 (;@3;)
            end
            i32.const 0
            i64.load offset=66328
            local.set 15
            local.get 15
            local.set 16
            i32.const 0
            local.get 1
            i64.extend_i32_s
            i64.store offset=131080
            local.get 0
            i64.const 7
            i64.add
            i32.const 3
            i32.const 6
            call_indirect (type 6)
            i32.const 65536
            local.get 16
            i64.const 0
            i64.const 0
            i64.const 0
            i32.const 2051
            call_indirect (type 1)
            local.set 16
            i32.const 0
            i32.load8_u offset=131072
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              i32.const 1
              i32.store offset=131088
              i32.const 0
              return
            end
            i32.const 0
            i32.load8_u offset=131076
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i64.const 0
              i32.const 0
              i32.const 7
              call_indirect (type 6)
            end
            i32.const 0
            i64.load offset=131080
            i32.wrap_i64
            local.set 1
            i32.const 0
            local.get 0
            i64.const 10
            i64.add
            i64.store offset=65544
            local.get 1
            i32.const 4
            i32.sub
            local.set 1
            i32.const 0
            local.get 1
            i64.extend_i32_s
            i64.store offset=131080
            i32.const 0
            i32.const 2
            i32.store offset=131088
            i32.const 0
            return
            unreachable
          end
          unreachable
        end
        local.get 8
        if  ;; label = @3
          i32.const 0
          local.get 8
          i32.store offset=131088
          i64.const 0
          local.get 1
          local.get 2
          i32.const 10
          return_call_indirect (type 0)
        end
      end
      i32.const 0
      i32.const 7
      i32.store offset=131092
      local.get 7
      local.get 1
      local.get 2
      i32.const 9
      return_call_indirect (type 0)
    end
    i32.const 0
    local.get 1
    i64.extend_i32_s
    i64.store offset=131080
    i32.const 0
    i32.const 7
    i32.store offset=131092
    i32.const 0
    i32.const 0
    i32.store offset=131088
    i32.const 0
    return)
  (elem (;0;) (i32.const 9) func 0))
