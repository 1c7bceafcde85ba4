# mode 2
.code32
mov eax, [ebx]
mov [ebp - 4], eax
push ecx
jmp eax
