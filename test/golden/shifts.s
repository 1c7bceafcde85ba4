sll a0,a1,a2
sra a0,a0,a3
srliw a4,a5,7
sraw a6,a6,a7
