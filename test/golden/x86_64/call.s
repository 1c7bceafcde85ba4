call 1f
call rax
call [rbx + 16]
1: ret
