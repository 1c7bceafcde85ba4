.option arch,+zba,+zbb,+zbs
bset a0,a1,a2
bexti a3,a4,40
binv a5,a5,a6
