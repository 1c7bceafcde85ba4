# Set before the branch, looked at behind it and on the other way.
cmp rax, rbx
je 1f
setb cl
jmp 2f
1: adc rdx, 0
2: cmovs rsi, rdi
