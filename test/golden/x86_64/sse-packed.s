movdqu xmm0, [rdi]
pxor xmm1, xmm1
paddd xmm0, xmm2
pcmpeqb xmm1, xmm0
pmovmskb eax, xmm1
pshufd xmm3, xmm0, 0x4e
mulps xmm4, xmm5
movaps [rsi], xmm0
movq rax, xmm3
