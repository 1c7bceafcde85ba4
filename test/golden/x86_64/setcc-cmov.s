cmp rax, rbx
sete cl
cmovl rdx, rsi
cmovbe edi, r8d
test r9, r9
sets r10b
movzx r10d, r10b
