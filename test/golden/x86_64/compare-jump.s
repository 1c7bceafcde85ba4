# Each condition as the comparison itself, without a flag.
cmp rax, rbx
jl 1f
cmp ecx, 100
ja 1f
test edx, edx
jne 1f
cmp sil, 7
jle 1f
1: nop
