;; 1443 bytes
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
    (local i32 i32 i32 i64 i64 i32 i64 i64 v128 v128 i64 i64 i64 i64 i64 i64 i64 f64 f64 f64 f64 f64 f64 f64 f64 i64)
    i32.const 0
    i32.load offset=131104
    local.set 3
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000
            local.set 11
            i32.const 0
            i64.load offset=66328
            local.set 13
            local.get 13
            local.set 6
            local.get 6
            i32.wrap_i64
            i32.const 8
            i32.shr_u
            i32.const 8176
            i32.and
            local.get 3
            i32.add
            local.tee 5
            i32.load offset=8
            local.get 6
            i32.wrap_i64
            i32.add
            local.set 4
            local.get 5
            i64.load
            local.get 6
            i64.xor
            i64.const 4088
            i64.gt_u
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i64.const 1126999418470401
              local.set 9
              br 1 (;@4;)
            end
            local.get 4
            f64.load align=1
            local.set 20
            v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000
            local.get 20
            f64x2.replace_lane 0
            local.set 12
            i32.const 0
            i64.load offset=66320
            local.set 14
            local.get 14
            local.set 6
            local.get 6
            i32.wrap_i64
            i32.const 8
            i32.shr_u
            i32.const 8176
            i32.and
            local.get 3
            i32.add
            local.tee 5
            i32.load offset=8
            local.get 6
            i32.wrap_i64
            i32.add
            local.set 4
            local.get 5
            i64.load
            local.get 6
            i64.xor
            i64.const 4088
            i64.gt_u
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i64.const 2253998836940803
              local.set 9
              br 1 (;@4;)
            end
            local.get 4
            f64.load align=1
            local.set 21
            block  ;; label = @5
              block  ;; label = @6
                block  ;; label = @7
                  local.get 20
                  local.get 21
                  f64.mul
                  local.set 22
                  block  ;; label = @8
                    local.get 20
                    i64.reinterpret_f64
                    i64.const 1
                    i64.shl
                    i64.const 1
                    i64.sub
                    i64.const 4620693217682128895
                    i64.lt_u
                    (@metadata.code.branch_hint "\00") br_if 0 (;@8;)
                    local.get 21
                    i64.reinterpret_f64
                    i64.const 1
                    i64.shl
                    i64.const 1
                    i64.sub
                    i64.const 4620693217682128895
                    i64.lt_u
                    (@metadata.code.branch_hint "\00") br_if 0 (;@8;)
                    local.get 22
                    i64.reinterpret_f64
                    i64.const 32
                    i64.shr_u
                    i32.wrap_i64
                    i32.const 1
                    i32.shl
                    i32.const 0
                    i32.load offset=131136
                    i32.ge_u
                    (@metadata.code.branch_hint "\00") br_if 0 (;@8;)
                    br 3 (;@5;)
                  end
                  local.get 20
                  i64.reinterpret_f64
                  i64.const 1
                  i64.shl
                  i64.const 1
                  i64.sub
                  i64.const 9007199254740991
                  i64.lt_u
                  (@metadata.code.branch_hint "\00") br_if 1 (;@6;)
                  local.get 21
                  i64.reinterpret_f64
                  i64.const 1
                  i64.shl
                  i64.const 1
                  i64.sub
                  i64.const 9007199254740991
                  i64.lt_u
                  (@metadata.code.branch_hint "\00") br_if 1 (;@6;)
                  local.get 22
                  i64.reinterpret_f64
                  i64.const 32
                  i64.shr_u
                  i32.wrap_i64
                  i32.const 1
                  i32.shl
                  i32.const 4194304
                  i32.sub
                  i32.const 0
                  i32.load offset=131136
                  i32.ge_u
                  (@metadata.code.branch_hint "\00") br_if 0 (;@7;)
                  br 2 (;@5;)
                end
                local.get 20
                i64.reinterpret_f64
                i64.const 1
                i64.shl
                i64.const 1
                i64.sub
                i64.const 9007199254740991
                i64.lt_u
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 21
                i64.reinterpret_f64
                i64.const 1
                i64.shl
                i64.const 1
                i64.sub
                i64.const 9007199254740991
                i64.lt_u
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 22
                f64.abs
                f64.const inf (;=inf;)
                f64.lt
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 22
                f64.abs
                f64.const 0x1p-1022 (;=2.22507e-308;)
                f64.lt
                local.get 22
                f64.const 0x0p+0 (;=0;)
                f64.eq
                i32.gt_u
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 20
                local.set 23
                local.get 22
                local.set 24
                local.get 21
                local.set 25
                local.get 23
                f64x2.splat
                local.get 25
                f64x2.splat
                local.get 24
                f64.neg
                f64x2.splat
                f64x2.relaxed_madd
                f64x2.extract_lane 0
                f64.const 0x0p+0 (;=0;)
                f64.eq
                local.get 24
                f64.abs
                f64.const 0x1p-900 (;=1.18305e-271;)
                f64.gt
                i32.and
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                br 1 (;@5;)
              end
              i32.const 65536
              local.get 20
              i64.reinterpret_f64
              local.get 21
              i64.reinterpret_f64
              i64.const 0
              i64.const 0
              i32.const 2134
              call_indirect (type 1)
              f64.reinterpret_i64
              local.set 22
            end
            local.get 12
            local.get 22
            f64x2.replace_lane 0
            local.set 12
            i32.const 0
            local.get 12
            v128.store offset=66464 align=8
            i64.const 0
            f64.reinterpret_i64
            local.set 20
            block  ;; label = @5
              block  ;; label = @6
                block  ;; label = @7
                  local.get 20
                  local.get 22
                  f64.add
                  local.set 21
                  local.get 21
                  i64.reinterpret_f64
                  i64.const 32
                  i64.shr_u
                  i32.wrap_i64
                  i32.const 1
                  i32.shl
                  i32.const 2097152
                  i32.sub
                  i32.const 0
                  i32.load offset=131136
                  i32.ge_u
                  if  ;; label = @8
                    local.get 21
                    i64.reinterpret_f64
                    i64.const 1
                    i64.shl
                    i64.eqz
                    i32.eqz
                    (@metadata.code.branch_hint "\00") br_if 1 (;@7;)
                    i32.const 0
                    i32.load offset=131136
                    i32.const -50331648
                    i32.ne
                    (@metadata.code.branch_hint "\00") br_if 1 (;@7;)
                  end
                  br 2 (;@5;)
                end
                local.get 20
                i64.reinterpret_f64
                i64.const 1
                i64.shl
                i64.const 1
                i64.sub
                i64.const 9007199254740991
                i64.lt_u
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 22
                i64.reinterpret_f64
                i64.const 1
                i64.shl
                i64.const 1
                i64.sub
                i64.const 9007199254740991
                i64.lt_u
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 21
                f64.abs
                f64.const inf (;=inf;)
                f64.lt
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 21
                f64.abs
                f64.const 0x1p-1022 (;=2.22507e-308;)
                f64.lt
                local.get 21
                f64.const 0x0p+0 (;=0;)
                f64.eq
                i32.gt_u
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 20
                local.set 23
                local.get 21
                local.set 24
                local.get 22
                local.set 25
                local.get 23
                local.get 25
                f64.add
                local.tee 26
                local.get 23
                f64.sub
                local.set 27
                local.get 23
                local.get 26
                local.get 27
                f64.sub
                f64.sub
                local.get 25
                local.get 27
                f64.sub
                f64.add
                f64.const 0x0p+0 (;=0;)
                f64.eq
                local.get 26
                local.get 24
                f64.eq
                i32.and
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                br 1 (;@5;)
              end
              i32.const 65536
              local.get 20
              i64.reinterpret_f64
              local.get 22
              i64.reinterpret_f64
              i64.const 0
              i64.const 0
              i32.const 2132
              call_indirect (type 1)
              f64.reinterpret_i64
              local.set 21
            end
            local.get 11
            local.get 21
            f64x2.replace_lane 0
            local.set 11
            i32.const 0
            local.get 11
            v128.store offset=66480 align=8
            local.get 13
            i64.const 8
            i64.add
            local.set 28
            local.get 28
            local.set 13
            i32.const 0
            local.get 13
            i64.store offset=66328
            local.get 28
            local.set 15
            i32.const 0
            local.get 15
            i64.store offset=66256
            i64.const 8
            local.set 16
            i32.const 0
            local.get 16
            i64.store offset=66264
            i32.const 0
            i64.load offset=66280
            local.set 17
            local.get 17
            i64.const -1
            i64.add
            local.set 28
            local.get 28
            local.set 17
            i32.const 0
            local.get 17
            i64.store offset=66280
            i64.const 384
            local.set 18
            i32.const 0
            local.get 18
            i64.store offset=66240
            local.get 28
            local.set 19
            i32.const 0
            local.get 19
            i64.store offset=66248
            local.get 1
            i32.const 7
            i32.sub
            local.set 1
            local.get 28
            i64.const 0
            i64.ne
            if  ;; label = @5
              i32.const 0
              local.get 0
              i64.const 4
              i64.add
              i64.store offset=65544
              local.get 1
              i32.const 0
              i32.le_s
              br_if 4 (;@1;)
              local.get 0
              local.get 1
              local.get 2
              i32.const 3004
              return_call_indirect (type 0)
            else
              i32.const 0
              local.get 0
              i64.const 25
              i64.add
              i64.store offset=65544
              local.get 1
              i32.const 0
              i32.le_s
              br_if 4 (;@1;)
              local.get 0
              local.get 1
              local.get 2
              i32.const 3025
              return_call_indirect (type 0)
            end
            unreachable
          end
          i32.const 0
          local.get 0
          local.get 9
          i64.const 48
          i64.shr_s
          i64.add
          i64.store offset=65544
          local.get 9
          i64.const 40
          i64.shr_u
          i32.wrap_i64
          i32.const 255
          i32.and
          local.set 8
          local.get 1
          local.get 8
          i32.sub
          local.set 1
          local.get 8
          i32.const 8
          i32.shl
          i32.const 4
          i32.or
          local.set 8
          i32.const 0
          local.get 1
          i64.extend_i32_s
          i64.store offset=131080
          i32.const 0
          i32.const 7
          i32.store offset=131092
        end
        local.get 9
        i64.const 1
        i64.and
        i32.wrap_i64
        if  ;; label = @3
          i32.const 0
          local.get 11
          v128.store offset=66480 align=8
        end
        local.get 9
        i64.const 2
        i64.and
        i32.wrap_i64
        if  ;; label = @3
          i32.const 0
          local.get 12
          v128.store offset=66464 align=8
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
