;; 1036 bytes
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
    (local i32 i32 i32 i64 i64 i32 i64 i64 i64 i64 i64 i64 i64 i64 f64 f64 f32 f32 f64 f64 f64 f64 f64 f64 f32 f64 f64 f64)
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            i32.const 0
            i64.load offset=66584
            local.tee 11
            f64.reinterpret_i64
            local.set 17
            i32.const 0
            i64.load offset=66592
            local.tee 12
            f64.reinterpret_i64
            local.set 18
            block  ;; label = @5
              block  ;; label = @6
                block  ;; label = @7
                  local.get 17
                  local.get 18
                  f64.add
                  local.set 21
                  local.get 21
                  i64.reinterpret_f64
                  i64.const 32
                  i64.shr_u
                  i32.wrap_i64
                  i32.const 1
                  i32.shl
                  i32.const -2097152
                  i32.ge_u
                  (@metadata.code.branch_hint "\00") br_if 0 (;@7;)
                  i32.const 0
                  i32.load offset=131136
                  i32.const 1
                  i32.and
                  i32.const 1
                  i32.ne
                  (@metadata.code.branch_hint "\00") br_if 0 (;@7;)
                  br 2 (;@5;)
                end
                local.get 21
                f64.abs
                f64.const inf (;=inf;)
                f64.lt
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 17
                local.set 22
                local.get 21
                local.set 23
                local.get 18
                local.set 24
                local.get 22
                local.get 24
                f64.add
                local.tee 25
                local.get 22
                f64.sub
                local.set 26
                local.get 22
                local.get 25
                local.get 26
                f64.sub
                f64.sub
                local.get 24
                local.get 26
                f64.sub
                f64.add
                f64.const 0x0p+0 (;=0;)
                f64.eq
                local.get 25
                local.get 23
                f64.eq
                i32.and
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                br 1 (;@5;)
              end
              i32.const 65536
              local.get 17
              i64.reinterpret_f64
              local.get 18
              i64.reinterpret_f64
              i64.const 0
              i64.const 0
              i32.const 2027
              call_indirect (type 1)
              f64.reinterpret_i64
              local.set 21
            end
            i32.const 0
            i64.load offset=66608
            local.tee 13
            i32.wrap_i64
            f32.reinterpret_i32
            i32.const 2143289344
            f32.reinterpret_i32
            local.get 13
            i64.const -4294967296
            i64.ge_u
            select
            local.set 19
            i32.const 0
            i64.load offset=66616
            local.tee 14
            i32.wrap_i64
            f32.reinterpret_i32
            i32.const 2143289344
            f32.reinterpret_i32
            local.get 14
            i64.const -4294967296
            i64.ge_u
            select
            local.set 20
            block  ;; label = @5
              block  ;; label = @6
                block  ;; label = @7
                  local.get 19
                  local.get 20
                  f32.mul
                  local.set 27
                  local.get 27
                  i32.reinterpret_f32
                  i32.const 1
                  i32.shl
                  i32.const 33554432
                  i32.sub
                  i32.const -50331648
                  i32.ge_u
                  if  ;; label = @8
                    local.get 27
                    i32.reinterpret_f32
                    i32.const 1
                    i32.shl
                    i32.eqz
                    local.get 19
                    i32.reinterpret_f32
                    i32.const 1
                    i32.shl
                    i32.eqz
                    local.get 20
                    i32.reinterpret_f32
                    i32.const 1
                    i32.shl
                    i32.eqz
                    i32.or
                    i32.and
                    i32.eqz
                    (@metadata.code.branch_hint "\00") br_if 1 (;@7;)
                    br 3 (;@5;)
                  end
                  i32.const 0
                  i32.load offset=131136
                  i32.const 1
                  i32.and
                  i32.const 1
                  i32.ne
                  (@metadata.code.branch_hint "\00") br_if 0 (;@7;)
                  br 2 (;@5;)
                end
                local.get 27
                f32.abs
                f32.const inf (;=inf;)
                f32.lt
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 19
                f64.promote_f32
                local.set 21
                local.get 27
                f64.promote_f32
                local.set 22
                local.get 20
                f64.promote_f32
                local.set 23
                local.get 21
                local.get 23
                f64.mul
                local.get 22
                f64.eq
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                br 1 (;@5;)
              end
              i32.const 65536
              local.get 19
              i32.reinterpret_f32
              i64.extend_i32_u
              i64.const -4294967296
              i64.or
              local.get 20
              i32.reinterpret_f32
              i64.extend_i32_u
              i64.const -4294967296
              i64.or
              i64.const 0
              i64.const 0
              i32.const 2009
              call_indirect (type 1)
              i32.wrap_i64
              f32.reinterpret_i32
              local.set 27
            end
            local.get 27
            i32.reinterpret_f32
            i64.extend_i32_u
            i64.const -4294967296
            i64.or
            local.set 15
            i32.const 0
            local.get 15
            i64.store offset=66600
            local.get 27
            i32.reinterpret_f32
            i64.extend_i32_u
            i64.const -4294967296
            i64.or
            f64.reinterpret_i64
            local.set 21
            block  ;; label = @5
              block  ;; label = @6
                block  ;; label = @7
                  local.get 17
                  f64x2.splat
                  local.get 18
                  f64x2.splat
                  local.get 21
                  f64x2.splat
                  f64x2.relaxed_madd
                  f64x2.extract_lane 0
                  local.set 22
                  local.get 22
                  i64.reinterpret_f64
                  i64.const 32
                  i64.shr_u
                  i32.wrap_i64
                  i32.const 1
                  i32.shl
                  i32.const 4194304
                  i32.sub
                  i32.const -6291456
                  i32.ge_u
                  (@metadata.code.branch_hint "\00") br_if 0 (;@7;)
                  i32.const 0
                  i32.load offset=131136
                  i32.const 1
                  i32.and
                  i32.const 1
                  i32.ne
                  (@metadata.code.branch_hint "\00") br_if 0 (;@7;)
                  br 2 (;@5;)
                end
                local.get 22
                f64.abs
                f64.const inf (;=inf;)
                f64.lt
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 17
                local.set 23
                local.get 18
                local.set 24
                local.get 21
                local.set 25
                local.get 22
                local.set 26
                local.get 23
                local.get 24
                f64.mul
                local.set 28
                local.get 28
                local.get 25
                f64.add
                local.tee 29
                local.get 28
                f64.sub
                local.set 30
                local.get 28
                local.get 29
                local.get 30
                f64.sub
                f64.sub
                local.get 25
                local.get 30
                f64.sub
                f64.add
                f64.const 0x0p+0 (;=0;)
                f64.eq
                local.get 29
                local.get 26
                f64.eq
                i32.and
                local.get 23
                f64x2.splat
                local.get 24
                f64x2.splat
                local.get 28
                f64.neg
                f64x2.splat
                f64x2.relaxed_madd
                f64x2.extract_lane 0
                f64.const 0x0p+0 (;=0;)
                f64.eq
                local.get 28
                f64.abs
                f64.const 0x1p-900 (;=1.18305e-271;)
                f64.gt
                i32.and
                i32.and
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                br 1 (;@5;)
              end
              i32.const 65536
              local.get 17
              i64.reinterpret_f64
              local.get 18
              i64.reinterpret_f64
              local.get 21
              i64.reinterpret_f64
              i64.const 0
              i32.const 2032
              call_indirect (type 1)
              f64.reinterpret_i64
              local.set 22
            end
            local.get 22
            i64.reinterpret_f64
            local.set 16
            i32.const 0
            local.get 16
            i64.store offset=66576
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
