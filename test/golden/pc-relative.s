1: auipc a0,0x1
addi a0,a0,16
ld a1,0(a0)
