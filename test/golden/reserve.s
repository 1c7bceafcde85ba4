1: lr.d a0,(a1)
add a0,a0,a2
sc.d a3,a0,(a1)
bnez a3,1b
