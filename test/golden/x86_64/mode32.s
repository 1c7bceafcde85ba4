# mode 1
.code32
push ebx
mov eax, [esp + 8]
add eax, [ebx + esi*2 + 4]
mov ecx, gs:[0]
inc eax
jnz 1f
lfs edx, [edi]
1: pop ebx
ret
