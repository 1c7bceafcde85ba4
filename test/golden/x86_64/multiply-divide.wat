;; 859 bytes
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
    (local i32 i32 i32 i64 i64 i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64)
    block  ;; label = @1
      block  ;; label = @2
        block  ;; label = @3
          block  ;; label = @4
            i32.const 0
            i64.load offset=66296
            local.set 11
            i32.const 0
            i64.load offset=66272
            local.set 12
            local.get 12
            local.get 11
            i64.mul
            local.set 21
            i32.const 0
            i64.load offset=66288
            local.set 13
            local.get 13
            i32.wrap_i64
            i32.const 100
            i32.mul
            i64.extend_i32_u
            local.set 22
            local.get 22
            local.set 14
            i32.const 0
            local.get 14
            i64.store offset=66280
            i32.const 0
            i64.load offset=66320
            local.set 15
            local.get 21
            local.get 15
            i64.mul
            local.set 23
            local.get 23
            local.set 12
            i64.const 576
            local.set 16
            i32.const 0
            local.get 16
            i64.store offset=66240
            local.get 23
            local.set 17
            i32.const 0
            local.get 17
            i64.store offset=66248
            i64.const 0
            local.set 18
            i32.const 0
            local.get 18
            i64.store offset=66256
            local.get 21
            local.set 24
            local.get 15
            local.set 25
            local.get 24
            i64.const 32
            i64.shr_u
            local.tee 21
            local.get 25
            i64.const 4294967295
            i64.and
            local.tee 26
            i64.mul
            local.get 24
            i64.const 4294967295
            i64.and
            local.get 26
            i64.mul
            i64.const 32
            i64.shr_u
            i64.add
            local.set 27
            local.get 21
            local.get 25
            i64.const 32
            i64.shr_u
            local.tee 26
            i64.mul
            local.get 27
            i64.const 32
            i64.shr_u
            i64.add
            local.get 24
            i64.const 4294967295
            i64.and
            local.get 26
            i64.mul
            local.get 27
            i64.const 4294967295
            i64.and
            i64.add
            i64.const 32
            i64.shr_u
            i64.add
            i64.const 0
            i64.ne
            i64.extend_i32_u
            local.set 19
            i32.const 0
            local.get 19
            i64.store offset=66264
            i64.const 0
            local.set 13
            local.get 23
            i32.wrap_i64
            i64.extend_i32_u
            local.set 21
            local.get 22
            local.set 24
            local.get 24
            i64.const 0
            i64.add
            i64.const 0
            i64.le_u
            if (result i64)  ;; label = @5
              i64.const -1
              i64.const 0
              local.get 21
              i64.sub
              local.get 24
              i64.eqz
              select
            else
              local.get 21
              local.get 24
              i64.div_u
            end
            local.set 21
            i64.const 0
            local.set 22
            i64.const 4294967295
            local.get 21
            i64.lt_u
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              local.get 1
              i64.extend_i32_s
              i64.store offset=131080
              local.get 0
              i64.const 15
              i64.add
              local.get 22
              i64.const 0
              i32.const 4
              i32.const 5
              call_indirect (type 5)
              i64.const 3
              local.set 9
              i32.const 1
              local.set 8
              br 2 (;@3;)
            end
            local.get 21
            i32.wrap_i64
            i64.extend_i32_u
            local.set 21
            local.get 21
            local.set 12
            local.get 21
            i64.const 63
            i64.shr_s
            local.set 13
            i32.const 0
            i64.load offset=66328
            local.set 20
            i64.const 0
            local.set 22
            local.get 20
            i64.const 0
            i64.eq
            local.get 21
            i64.const -9223372036854775808
            i64.eq
            local.get 20
            i64.const -1
            i64.eq
            i32.and
            i32.or
            (@metadata.code.branch_hint "\00") if  ;; label = @5
              i32.const 0
              local.get 1
              i64.extend_i32_s
              i64.store offset=131080
              local.get 0
              i64.const 19
              i64.add
              local.get 22
              i64.const 0
              i32.const 6
              i32.const 5
              call_indirect (type 5)
              i64.const 3
              local.set 9
              i32.const 1
              local.set 8
              br 2 (;@3;)
            end
            local.get 21
            local.set 22
            local.get 20
            local.set 23
            local.get 23
            i64.const 1
            i64.add
            i64.const 1
            i64.le_u
            if (result i64)  ;; label = @5
              i64.const -1
              i64.const 0
              local.get 22
              i64.sub
              local.get 23
              i64.eqz
              select
            else
              local.get 22
              local.get 23
              i64.div_s
            end
            local.set 12
            i32.const 0
            local.get 12
            i64.store offset=66272
            local.get 21
            local.set 22
            local.get 20
            local.set 23
            local.get 23
            i64.const 1
            i64.add
            i64.const 1
            i64.le_u
            if (result i64)  ;; label = @5
              local.get 22
              i64.const 0
              local.get 23
              i64.eqz
              select
            else
              local.get 22
              local.get 23
              i64.rem_s
            end
            local.set 13
            i32.const 0
            local.get 13
            i64.store offset=66288
            local.get 1
            i32.const 7
            i32.sub
            local.set 1
            i32.const 0
            local.get 0
            i64.const 22
            i64.add
            i64.store offset=65544
            local.get 1
            i32.const 0
            i32.le_s
            br_if 3 (;@1;)
            local.get 0
            local.get 1
            local.get 2
            i32.const 3022
            return_call_indirect (type 0)
            unreachable
          end
          unreachable
        end
        local.get 9
        i64.const 1
        i64.and
        i32.wrap_i64
        if  ;; label = @3
          i32.const 0
          local.get 12
          i64.store offset=66272
        end
        local.get 9
        i64.const 2
        i64.and
        i32.wrap_i64
        if  ;; label = @3
          i32.const 0
          local.get 13
          i64.store offset=66288
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
