movsd xmm0, [rdi]
addsd xmm0, xmm1
mulsd xmm0, [rsi]
cvtsi2sd xmm2, eax
ucomisd xmm0, xmm2
ja 1f
cvttsd2si ecx, xmm0
1: movsd [rdi], xmm0
sqrtss xmm3, xmm4
