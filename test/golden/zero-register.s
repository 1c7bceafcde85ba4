addi x0,a0,1
add a0,x0,a1
lw x0,0(a1)
