lock cmpxchg [rdi], rsi
lock xadd [rdi], eax
lock inc qword ptr [rdx]
xchg [rdi], rcx
lock or byte ptr [rsi + 1], 4
