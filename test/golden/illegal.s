.word 0xffffffff
.half 0
