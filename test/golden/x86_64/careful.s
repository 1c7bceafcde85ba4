# mode 4
add rax, [rbx]
jne 1f
1: nop
