imul rax, rbx
imul ecx, edx, 100
mul rsi
mov edx, 0
div ecx
cqo
idiv rdi
