.option arch,+zba,+zbb,+zbs
clz s2,a1
cpop a2,a3
rev8 a4,a5
orc.b a6,a7
min a0,a1,a2
rori s3,a0,13
