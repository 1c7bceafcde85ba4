cli
mov rax, cr3
swapgs
invlpg [rdi]
wrmsr
