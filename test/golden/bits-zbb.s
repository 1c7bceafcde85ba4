.option arch,+zba,+zbb,+zbs
clz a0,a1
cpop a2,a3
rev8 a4,a5
orc.b a6,a7
min a0,a1,a2
rori a0,a0,13
