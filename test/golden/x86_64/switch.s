cmp edi, 5
ja 1f
lea rdx, [rip + 64]
movsxd rax, dword ptr [rdx + rdi*4]
add rax, rdx
jmp rax
1: ret
