# The sum in xmm1 is zero or what this computed, so only what is loaded is looked at for denormals.
pxor xmm1, xmm1
1: movsd xmm0, [rdi]
mulsd xmm0, [rsi]
addsd xmm1, xmm0
add rdi, 8
dec rcx
jne 1b
ret
