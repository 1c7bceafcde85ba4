;; 561 bytes
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
    (local i32 i32 i32 i64 i64 i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 f64 i64 f64)
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            i32.const 0
            i64.load offset=66576
            local.tee 11
            f64.reinterpret_i64
            local.set 18
            block  ;; label = @5
              block  ;; label = @6
                block  ;; label = @7
                  local.get 18
                  i64.trunc_sat_f64_s
                  local.set 19
                  local.get 18
                  f64.abs
                  f64.const 0x1.fffffffffffffp+62 (;=9.22337e+18;)
                  f64.lt
                  i32.eqz
                  (@metadata.code.branch_hint "\00") br_if 1 (;@6;)
                  i32.const 0
                  i32.load offset=131136
                  i32.const 1
                  i32.and
                  i32.const 1
                  i32.ne
                  (@metadata.code.branch_hint "\00") br_if 0 (;@7;)
                  br 2 (;@5;)
                end
                local.get 19
                f64.convert_i64_s
                local.get 18
                f64.eq
                br_if 1 (;@5;)
              end
              i32.const 65536
              local.get 18
              i64.reinterpret_f64
              i64.const 0
              i64.const 0
              i64.const 1
              i32.const 2041
              call_indirect (type 1)
              local.set 19
            end
            local.get 19
            local.set 12
            i32.const 0
            local.get 12
            i64.store offset=66320
            i32.const 0
            i64.load offset=66328
            local.set 13
            local.get 13
            i32.wrap_i64
            i64.extend_i32_s
            f64.convert_i64_s
            i64.reinterpret_f64
            local.set 19
            local.get 19
            local.set 14
            i32.const 0
            local.get 14
            i64.store offset=66584
            local.get 19
            f64.reinterpret_i64
            local.set 20
            block  ;; label = @5
              block  ;; label = @6
                block  ;; label = @7
                  local.get 18
                  local.get 20
                  f64.eq
                  i64.extend_i32_u
                  local.set 19
                  local.get 18
                  local.get 18
                  f64.ne
                  (@metadata.code.branch_hint "\00") br_if 1 (;@6;)
                  local.get 20
                  local.get 20
                  f64.ne
                  (@metadata.code.branch_hint "\00") br_if 1 (;@6;)
                  br 2 (;@5;)
                end
              end
              i32.const 65536
              local.get 18
              i64.reinterpret_f64
              local.get 20
              i64.reinterpret_f64
              i64.const 0
              i64.const 0
              i32.const 2035
              call_indirect (type 1)
              local.set 19
            end
            local.get 19
            local.set 15
            i32.const 0
            local.get 15
            i64.store offset=66336
            i32.const 0
            i64.load offset=66504
            local.set 16
            i32.const 65536
            local.get 11
            local.get 16
            i64.const 0
            i64.const 0
            i32.const 2045
            call_indirect (type 1)
            local.set 19
            local.get 19
            local.set 17
            i32.const 0
            local.get 17
            i64.store offset=66592
            local.get 1
            i32.const 4
            i32.sub
            local.set 1
            i32.const 0
            local.get 0
            i64.const 16
            i64.add
            i64.store offset=65544
            local.get 1
            i32.const 0
            i32.le_s
            br_if 3 (;@1;)
            local.get 0
            local.get 1
            local.get 2
            i32.const 3016
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
