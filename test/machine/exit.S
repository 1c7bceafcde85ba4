# A program without an operating system: writes to the UART, then ends the machine with exit code 42
# through the test device.
    .globl _start
_start:
    li t0, 0x10000000
    la t1, text
1:  lbu t2, 0(t1)
    beqz t2, 2f
    sb t2, 0(t0)
    addi t1, t1, 1
    j 1b
2:  li t0, 0x100000
    li t1, 42 << 16 | 0x3333
    sw t1, 0(t0)
3:  wfi
    j 3b
text:
    .asciz "bare metal\n"
