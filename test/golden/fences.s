fence rw,rw
fence.i
addi a0,a0,1
