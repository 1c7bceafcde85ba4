addi a0,a1,5
addi a0,a0,-5
add a2,a2,a0
