;; 1274 bytes
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
    (local i32 i32 i32 i64 i64 i32 i64 i64 v128 v128 v128 v128 v128 v128 i64 i64 i64 v128 v128 v128 v128 i64)
    i32.const 0
    i32.load offset=131104
    local.set 3
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            i32.const 0
            i64.load offset=66328
            local.set 17
            local.get 17
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
            i64.const 4080
            i64.gt_u
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i64.const 0
              local.set 9
              br 1 (;@4;)
            end
            local.get 4
            v128.load align=1
            local.set 20
            i32.const 0
            v128.load offset=66496 align=8
            local.set 11
            local.get 20
            local.get 11
            i32x4.add
            local.set 20
            local.get 20
            local.set 12
            i32.const 0
            local.get 12
            v128.store offset=66464 align=8
            v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000
            local.get 20
            i8x16.eq
            local.set 21
            local.get 21
            local.set 13
            i32.const 0
            local.get 13
            v128.store offset=66480 align=8
            local.get 21
            i8x16.bitmask
            i64.extend_i32_u
            local.set 18
            local.get 20
            local.get 20
            i8x16.shuffle 8 9 10 11 12 13 14 15 0 1 2 3 4 5 6 7
            local.set 14
            i32.const 0
            local.get 14
            v128.store offset=66512 align=8
            i32.const 0
            v128.load offset=66544 align=8
            local.set 15
            i32.const 0
            v128.load offset=66528 align=8
            local.set 16
            local.get 16
            local.set 21
            local.get 15
            local.set 22
            block  ;; label = @5
              block  ;; label = @6
                block  ;; label = @7
                  local.get 21
                  local.get 22
                  f32x4.mul
                  local.set 23
                  local.get 23
                  i32.const 1
                  i32x4.shl
                  v128.const i32x4 0x7e000000 0x7e000000 0x7e000000 0x7e000000
                  i32x4.add
                  v128.const i32x4 0x7cffffff 0x7cffffff 0x7cffffff 0x7cffffff
                  i32x4.gt_s
                  local.get 21
                  i32.const 1
                  i32x4.shl
                  v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff
                  i32x4.add
                  v128.const i32x4 0x80ffffff 0x80ffffff 0x80ffffff 0x80ffffff
                  i32x4.lt_s
                  v128.or
                  local.get 22
                  i32.const 1
                  i32x4.shl
                  v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff
                  i32x4.add
                  v128.const i32x4 0x80ffffff 0x80ffffff 0x80ffffff 0x80ffffff
                  i32x4.lt_s
                  v128.or
                  v128.any_true
                  (@metadata.code.branch_hint "\00") br_if 0 (;@7;)
                  i32.const 0
                  i32.load offset=131136
                  i32.const -50331648
                  i32.ne
                  (@metadata.code.branch_hint "\00") br_if 1 (;@6;)
                  br 2 (;@5;)
                end
                local.get 21
                i32.const 1
                i32x4.shl
                v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff
                i32x4.add
                v128.const i32x4 0x80ffffff 0x80ffffff 0x80ffffff 0x80ffffff
                i32x4.lt_s
                local.get 22
                i32.const 1
                i32x4.shl
                v128.const i32x4 0x7fffffff 0x7fffffff 0x7fffffff 0x7fffffff
                i32x4.add
                v128.const i32x4 0x80ffffff 0x80ffffff 0x80ffffff 0x80ffffff
                i32x4.lt_s
                v128.or
                v128.any_true
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                local.get 23
                i32.const 1
                i32x4.shl
                v128.const i32x4 0x7e000000 0x7e000000 0x7e000000 0x7e000000
                i32x4.add
                v128.const i32x4 0x7d000000 0x7d000000 0x7d000000 0x7d000000
                i32x4.lt_s
                local.get 23
                v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000
                f32x4.eq
                local.get 21
                v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000
                f32x4.eq
                local.get 22
                v128.const i32x4 0x00000000 0x00000000 0x00000000 0x00000000
                f32x4.eq
                v128.or
                v128.and
                v128.or
                i32x4.all_true
                i32.eqz
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                i32.const 0
                i32.load offset=131136
                i32.const -50331648
                i32.ne
                (@metadata.code.branch_hint "\00") br_if 0 (;@6;)
                br 1 (;@5;)
              end
              i32.const 0
              local.get 21
              v128.store
              i32.const 0
              local.get 22
              v128.store offset=16
              i32.const 65536
              i64.const 0
              i64.const 0
              i64.const 0
              i64.const 52
              i32.const 2165
              call_indirect (type 1)
              drop
              i32.const 0
              v128.load
              local.set 23
            end
            local.get 23
            local.set 16
            i32.const 0
            local.get 16
            v128.store offset=66528 align=8
            i32.const 0
            i64.load offset=66320
            local.set 19
            i64.const 0
            local.set 24
            local.get 19
            i64.const 15
            i64.and
            i64.const 0
            i64.ne
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              local.get 1
              i64.extend_i32_s
              i64.store offset=131080
              local.get 0
              i64.const 28
              i64.add
              local.get 24
              i64.const 269
              i32.const 7
              i32.const 5
              call_indirect (type 5)
              i64.const 1
              local.set 9
              i32.const 1
              local.set 8
              br 2 (;@3;)
            end
            local.get 20
            local.set 21
            local.get 19
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
            i32.load offset=8200
            local.get 6
            i32.wrap_i64
            i32.add
            local.set 4
            local.get 5
            i64.load offset=8192
            local.get 6
            i64.xor
            i64.const 4080
            i64.gt_u
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i64.const 7888995929292801
              local.set 9
              br 1 (;@4;)
            end
            local.get 4
            local.get 21
            v128.store align=1
            local.get 14
            i64x2.extract_lane 0
            local.set 24
            local.get 24
            local.set 18
            i32.const 0
            local.get 18
            i64.store offset=66272
            local.get 1
            i32.const 9
            i32.sub
            local.set 1
            i32.const 0
            local.get 0
            i64.const 36
            i64.add
            i64.store offset=65544
            local.get 1
            i32.const 0
            i32.le_s
            br_if 3 (;@1;)
            local.get 0
            local.get 1
            local.get 2
            i32.const 3036
            return_call_indirect (type 0)
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
          local.get 18
          i64.store offset=66272
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
