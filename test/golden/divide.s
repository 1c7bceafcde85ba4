div a0,a1,a2
remu a3,a4,a5
divuw a6,a7,a0
remw s2,a7,a0
