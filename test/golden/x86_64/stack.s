push rbp
mov rbp, rsp
sub rsp, 32
mov [rbp - 8], rdi
pop rax
leave
ret
