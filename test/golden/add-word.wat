;; 323 bytes
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
    (local i32 i32 i32 i64 i64 i32 i64 i64 i64 i64 i64 i64 i64)
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            i32.const 0
            i64.load offset=66328
            local.set 11
            i32.const 0
            i64.load offset=66336
            local.set 12
            local.get 11
            i32.wrap_i64
            local.get 12
            i32.wrap_i64
            i32.add
            i32.const 1
            i32.add
            i64.extend_i32_s
            local.set 13
            i32.const 0
            local.get 13
            i64.store offset=66320
            i32.const 0
            i64.load offset=66352
            local.set 14
            local.get 14
            i32.wrap_i64
            i64.extend_i32_s
            local.set 15
            i32.const 0
            local.get 15
            i64.store offset=66344
            local.get 1
            i32.const 3
            i32.sub
            local.set 1
            i32.const 0
            local.get 0
            i64.const 12
            i64.add
            i64.store offset=65544
            local.get 1
            i32.const 0
            i32.le_s
            br_if 3 (;@1;)
            local.get 0
            local.get 1
            local.get 2
            i32.const 3012
            return_call_indirect (type 0)
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
