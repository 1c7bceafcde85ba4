mov rax, [rbx]
mov ecx, [rbx + rsi*4 + 16]
mov rdx, fs:[0x28]
mov [rip + 256], eax
mov word ptr [rsp + 6], 7
lea edi, [rax + rax*2]
mov r8d, [ebx + 4]
