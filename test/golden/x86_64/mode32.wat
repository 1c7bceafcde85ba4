;; 1568 bytes
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
    (local i32 i32 i32 i64 i64 i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i32 i64 i64)
    i32.const 0
    i32.load offset=131104
    local.set 3
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            i32.const 0
            i64.load offset=66296
            local.set 11
            i32.const 0
            i64.load offset=66304
            local.set 12
            local.get 12
            i32.wrap_i64
            i32.const -4
            i32.add
            local.set 22
            local.get 22
            i64.extend_i32_u
            local.set 23
            local.get 11
            local.set 24
            local.get 23
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
            i64.const 4092
            i64.gt_u
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i64.const 0
              local.set 9
              br 1 (;@4;)
            end
            local.get 4
            local.get 24
            i64.store32 align=1
            local.get 23
            local.set 12
            i32.const 0
            local.get 12
            i64.store offset=66304
            local.get 22
            i32.const 8
            i32.add
            i64.extend_i32_u
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
            i64.const 4092
            i64.gt_u
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i64.const 282574488338432
              local.set 9
              br 1 (;@4;)
            end
            local.get 4
            i64.load32_u align=1
            local.set 23
            local.get 23
            local.set 13
            i32.const 0
            i64.load offset=66320
            local.set 14
            local.get 11
            i32.wrap_i64
            local.get 14
            i32.wrap_i64
            i32.const 1
            i32.shl
            i32.add
            i32.const 4
            i32.add
            i64.extend_i32_u
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
            i64.const 4092
            i64.gt_u
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i64.const 1409573906808834
              local.set 9
              br 1 (;@4;)
            end
            local.get 4
            i64.load32_u align=1
            local.set 24
            local.get 23
            i32.wrap_i64
            local.get 24
            i32.wrap_i64
            i32.add
            local.set 22
            local.get 22
            i64.extend_i32_u
            local.set 23
            local.get 23
            local.set 13
            i32.const 0
            local.get 13
            i64.store offset=66272
            i64.const 224
            local.set 15
            i32.const 0
            local.get 15
            i64.store offset=66240
            local.get 23
            local.set 16
            i32.const 0
            local.get 16
            i64.store offset=66248
            local.get 23
            local.set 17
            i32.const 0
            local.get 17
            i64.store offset=66256
            local.get 24
            local.set 18
            i32.const 0
            local.get 18
            i64.store offset=66264
            i32.const 0
            local.get 1
            i64.extend_i32_s
            i64.store offset=131080
            local.get 0
            i64.const 9
            i64.add
            i32.const 3
            i32.const 6
            call_indirect (type 6)
            i32.const 65536
            i64.const 0
            i64.const 0
            i64.const 0
            i64.const 1029
            i32.const 2011
            call_indirect (type 1)
            local.set 23
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
            local.get 23
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
            i64.const 4092
            i64.gt_u
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              local.get 1
              i64.extend_i32_s
              i64.store offset=131080
              local.get 0
              i64.const 9
              i64.add
              local.get 6
              i32.const 1027
              i32.const 1
              call_indirect (type 2)
              local.tee 4
              i32.const 0
              i32.le_u
              (@metadata.code.branch_hint "\00") if  ;; label = @6
                i64.const 0
                local.set 9
                i32.const 1
                local.set 8
                br 3 (;@3;)
              end
              i32.const 0
              i64.load offset=131080
              i32.wrap_i64
              local.set 1
            end
            local.get 4
            i64.load32_u align=1
            local.set 23
            local.get 23
            local.set 19
            i32.const 0
            local.get 19
            i64.store offset=66280
            local.get 22
            i32.const 1
            i32.add
            local.set 22
            local.get 22
            i64.extend_i32_u
            local.set 23
            local.get 23
            local.set 13
            i32.const 0
            local.get 13
            i64.store offset=66272
            i64.const 352
            local.set 15
            i32.const 0
            local.get 15
            i64.store offset=66240
            local.get 23
            local.set 16
            i32.const 0
            local.get 16
            i64.store offset=66248
            local.get 1
            i32.const 6
            i32.sub
            local.set 1
            local.get 22
            i32.const 0
            i32.ne
            if  ;; label = @5
              local.get 12
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
              i64.const 4092
              i64.gt_u
              (@metadata.code.branch_hint "\00") if  ;; label = @6
                i64.const 6192449487634432
                local.set 9
                br 2 (;@4;)
              end
              local.get 4
              i64.load32_u align=1
              local.set 23
              local.get 23
              local.set 11
              i32.const 0
              local.get 11
              i64.store offset=66296
              local.get 12
              i32.wrap_i64
              i32.const 4
              i32.add
              local.set 22
              local.get 22
              i64.extend_i32_u
              local.set 23
              local.get 23
              local.set 12
              local.get 23
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
              i64.const 4092
              i64.gt_u
              (@metadata.code.branch_hint "\00") if  ;; label = @6
                i64.const 6475023975972865
                local.set 9
                br 2 (;@4;)
              end
              local.get 4
              i64.load32_u align=1
              local.set 23
              local.get 22
              i32.const 4
              i32.add
              i64.extend_i32_u
              local.set 12
              i32.const 0
              local.get 12
              i64.store offset=66304
              local.get 23
              local.set 7
              local.get 1
              i32.const 2
              i32.sub
              local.set 1
              local.get 2
              i32.const 100
              i32.eq
              (@metadata.code.branch_hint "\00") br_if 3 (;@2;)
              local.get 1
              i32.const 0
              i32.le_s
              (@metadata.code.branch_hint "\00") br_if 3 (;@2;)
              i32.const 0
              local.get 7
              i64.store offset=65544
              local.get 1
              return
            else
              i32.const 0
              i64.load offset=66328
              local.set 20
              local.get 20
              i32.wrap_i64
              local.set 22
              local.get 22
              i64.extend_i32_u
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
              i64.const 4092
              i64.gt_u
              (@metadata.code.branch_hint "\00") if  ;; label = @6
                i64.const 5348024557502464
                local.set 9
                br 2 (;@4;)
              end
              local.get 4
              i64.load32_u align=1
              local.set 23
              local.get 22
              i32.const 4
              i32.add
              i64.extend_i32_u
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
              i64.const 4094
              i64.gt_u
              (@metadata.code.branch_hint "\00") if  ;; label = @6
                i64.const 5348024557502464
                local.set 9
                br 2 (;@4;)
              end
              local.get 4
              i64.load16_u align=1
              local.set 24
              local.get 24
              i64.const 65535
              i64.and
              local.set 24
              i32.const 0
              local.get 1
              i64.extend_i32_s
              i64.store offset=131080
              local.get 0
              i64.const 19
              i64.add
              i32.const 0
              i32.const 6
              call_indirect (type 6)
              i32.const 65536
              local.get 24
              i64.const 0
              i64.const 0
              i64.const 4
              i32.const 2025
              call_indirect (type 1)
              local.set 24
              i32.const 0
              i32.load8_u offset=131072
              (@metadata.code.branch_hint "\00") if  ;; label = @6
                i32.const 0
                i32.const 1
                i32.store offset=131088
                i32.const 0
                return
              end
              i32.const 0
              i32.load8_u offset=131076
              (@metadata.code.branch_hint "\00") if  ;; label = @6
                i64.const 0
                i32.const 0
                i32.const 7
                call_indirect (type 6)
              end
              i32.const 0
              i64.load offset=131080
              i32.wrap_i64
              local.set 1
              local.get 23
              local.set 21
              i32.const 0
              local.get 21
              i64.store offset=66288
              i32.const 0
              local.get 0
              i64.const 22
              i64.add
              i64.store offset=65544
              local.get 1
              i32.const 1
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
          local.get 12
          i64.store offset=66304
        end
        local.get 9
        i64.const 2
        i64.and
        i32.wrap_i64
        if  ;; label = @3
          i32.const 0
          local.get 13
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
