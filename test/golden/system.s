ecall
ebreak
wfi
sret
sfence.vma
