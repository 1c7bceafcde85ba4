shl rax, 3
shr ecx, 1
sar rdx, cl
jz 1f
1: rol esi, 7
shld rdi, rsi, 4
shlx r8, r9, r10
