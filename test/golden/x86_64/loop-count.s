# The usual loop: flags of the last instruction decide, inside of it they are dead.
1: add rax, [rdi]
add rdi, 8
dec rcx
jne 1b
ret
