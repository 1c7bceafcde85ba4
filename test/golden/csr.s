csrr a0,instret
csrrw a1,sscratch,a2
csrsi sstatus,2
