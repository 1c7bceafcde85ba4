# A kernel of the x86_64 board in three formats (-DMULTIBOOT, -DPVH; neither: a plain 64-bit ELF file). It
# writes its command line to the UART and ends the machine in the way that the line's last letter says.
#ifdef MULTIBOOT
    .code32
    .text
    .align 4
    .long 0x1badb002, 3, -(0x1badb002 + 3)
#define CMDLINE 16
#else
#define CMDLINE 24
#ifdef PVH
    .code32
    .section .note.xen, "a", @note
    .long 4, 4, 18
    .asciz "Xen"
    .long start
    .text
    .globl _start
_start:
    ud2 # not here: where the note says
#endif
#endif

    .globl _start
#ifdef PVH
start:
#else
_start:
#endif
#ifdef MULTIBOOT
    cmp $0x2badb002, %eax
    jne wrong
#else
    cmpl $0x336ec578, (%ebx)
    jne wrong
#ifndef PVH
    cmp %rbx, %rsi
    jne wrong
#endif
#endif
    mov CMDLINE(%ebx), %esi
    mov $0x3f8, %edx
1:  lodsb
    test %al, %al
    jz 2f
    outb %al, %dx
    mov %al, %cl
    jmp 1b
2:  mov $'\n', %al
    outb %al, %dx
    cmp $'o', %cl
    je off
    cmp $'h', %cl
    je halt
    cmp $'t', %cl
    je triple
    cmp $'k', %cl
    je keyboard
    mov $0x15, %eax # isa-debug-exit: 43
    outl %eax, $0xf4
wrong:
    mov $0x7e, %eax # 253
    outl %eax, $0xf4
off:
    mov $0x604, %edx
    mov $0x2000, %eax
    outw %ax, %dx
halt:
    cli
    hlt
    jmp halt
triple:
    ud2 # there is no IDT
keyboard:
    mov $0xfe, %al
    outb %al, $0x64
    jmp halt
