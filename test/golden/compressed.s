.option arch,+c
c.li a0,5
c.addi a0,-1
c.mv a1,a0
c.lw a2,4(a0)
c.sdsp a2,8(sp)
c.beqz a0,1f
1: c.jr ra
