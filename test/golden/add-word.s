addw a0,a1,a2
addiw a0,a0,1
sext.w a3,a4
