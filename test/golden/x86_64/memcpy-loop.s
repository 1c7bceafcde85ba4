1: movdqu xmm0, [rsi + rax]
movups [rdi + rax], xmm0
add rax, 16
cmp rax, rdx
jb 1b
ret
