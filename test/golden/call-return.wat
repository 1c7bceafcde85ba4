;; 537 bytes
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
    (local i32 i32 i32 i64 i64 i32 i64 i64 i64 i64)
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            local.get 0
            i64.const 4
            i64.add
            local.set 11
            i32.const 0
            local.get 11
            i64.store offset=66248
            local.get 1
            i32.const 1
            i32.sub
            local.set 1
            i32.const 0
            local.get 0
            i64.const 8
            i64.add
            i64.store offset=65544
            local.get 1
            i32.const 0
            i32.le_s
            local.get 2
            i32.eqz
            i32.or
            (@metadata.code.branch_hint "\00") br_if 3 (;@1;)
            local.get 0
            local.get 1
            local.get 2
            i32.const 1
            i32.sub
            i32.const 3008
            call_indirect (type 0)
            local.tee 1
            i32.eqz
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              return
            end
            i32.const 0
            i64.load offset=65544
            local.tee 7
            local.get 0
            i64.const 4
            i64.add
            i64.ne
            (@metadata.code.branch_hint "\00") br_if 2 (;@2;)
            i32.const 0
            i64.load offset=66360
            local.set 12
            local.get 0
            i64.const 12
            i64.add
            local.set 11
            i32.const 0
            local.get 11
            i64.store offset=66248
            local.get 12
            i64.const -2
            i64.and
            local.set 7
            local.get 1
            i32.const 2
            i32.sub
            local.set 1
            local.get 7
            local.get 1
            local.get 2
            i32.const 1
            i32.sub
            i32.const 9
            call_indirect (type 0)
            local.tee 1
            i32.eqz
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              return
            end
            i32.const 0
            i64.load offset=65544
            local.tee 7
            local.get 0
            i64.const 12
            i64.add
            i64.ne
            (@metadata.code.branch_hint "\00") br_if 2 (;@2;)
            i32.const 0
            i64.load offset=66360
            local.set 12
            local.get 12
            i64.const -2
            i64.and
            local.set 7
            local.get 1
            i32.const 1
            i32.sub
            local.set 1
            br 2 (;@2;)
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
      local.get 7
      i64.store offset=65544
      local.get 1
      i32.const 0
      i32.le_s
      (@metadata.code.branch_hint "\00") br_if 0 (;@1;)
      local.get 7
      i32.wrap_i64
      i32.const 3
      i32.shl
      i32.const 1048560
      i32.and
      local.tee 5
      i64.load offset=262144
      local.get 7
      i32.const 0
      i64.load offset=131096
      i64.xor
      i64.ne
      (@metadata.code.branch_hint "\00") br_if 0 (;@1;)
      local.get 7
      i64.const 16
      i64.shl
      i64.const 16
      i64.shr_s
      local.get 7
      i64.ne
      (@metadata.code.branch_hint "\00") br_if 0 (;@1;)
      local.get 5
      i32.load offset=262156
      local.tee 4
      i32.eqz
      (@metadata.code.branch_hint "\00") br_if 0 (;@1;)
      local.get 7
      i64.const -4096
      i64.and
      local.get 1
      local.get 2
      local.get 4
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
