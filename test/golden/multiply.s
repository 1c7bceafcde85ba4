mul a0,a1,a2
mulh a3,a4,a5
mulhu s2,a4,a5
mulhsu s3,a4,a5
mulw a6,a6,a7
