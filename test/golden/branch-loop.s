1: addi a0,a0,-1
add a1,a1,a0
bnez a0,1b
ret
