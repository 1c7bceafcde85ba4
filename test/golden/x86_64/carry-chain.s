# INC and DEC keep CF; ADC and SBB take it.
add rax, [rsi]
inc rdi
adc rbx, [rsi + 8]
dec rcx
sbb rdx, 0
jc 1f
1: nop
