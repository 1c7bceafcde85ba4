fld qword ptr [rdi]
fadd qword ptr [rsi]
fmul st, st(1)
fstp qword ptr [rdi]
