.option arch,+zba,+zbb,+zbs
sh3add a0,a1,a2
add.uw a3,a4,a5
slli.uw a6,a7,4
