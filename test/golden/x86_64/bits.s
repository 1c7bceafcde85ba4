bt rax, 5
jc 1f
1: bts dword ptr [rdi], 3
bsf rcx, rdx
tzcnt rsi, rdi
popcnt r8d, r9d
andn r10, r11, r12
bswap rax
