# Pushes and pops move the stack pointer between accesses off one base.
    push rbx
    push rbp
    push r12
    mov rbx, [rdi]
    mov rbp, [rdi + 8]
    mov [rdi + 16], rbx
    pop r12
    pop rbp
    pop rbx
    ret
