# Flags that nobody looks at: only the last instruction's remain.
add rax, rbx
sub rcx, 5
xor edx, edx
and rsi, rdi
lea r8, [rax + rcx*4 + 8]
add r8, rax
