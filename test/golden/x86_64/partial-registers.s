mov al, 5
mov ah, cl
mov bx, 1234
add cl, ch
mov edx, eax
movzx esi, al
movsx rdi, bx
movsxd r8, edx
