lui a0,0x12345
addi a0,a0,0x678
slli a1,a0,32
srli a1,a1,32
