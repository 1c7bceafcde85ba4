amoadd.d a0,a1,(a2)
amoswap.w a3,a4,(a5)
