// Start-up (PVH: 32-bit protected mode), the way into a context and back out of any exception, and
// the tables that do not change.
    .section .note.pvh, "a"
    .long 4, 4, 18
    .asciz "Xen"
    .long start32

    .section .text.start, "ax"
    .code32
    .globl start32
start32:
    cli
    mov $pml4, %eax
    mov %eax, %cr3
    mov $0x6a0, %eax            // PAE, PGE, OSFXSR, OSXMMEXCPT
    mov %eax, %cr4
    mov $0xc0000080, %ecx
    mov $0x901, %eax            // SCE, LME, NXE
    xor %edx, %edx
    wrmsr
    mov $0x80050033, %eax       // PG, AM, WP, NE, ET, MP, PE
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $0x10, $1f
    .code64
1:  mov $0x18, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    lldt %ax
    mov $stack_top, %esp
    lidt idt_pointer
    call test_main
0:  hlt
    jmp 0b

    .text
// void run(struct ctx *c): goes to the context; comes back with the exception that ended it in it.
    .globl run
run:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    pushfq
    mov %rsp, host_rsp
    mov %rdi, current
    push 0xa0(%rdi)
    push 0x98(%rdi)
    push 0x90(%rdi)
    push 0x88(%rdi)
    push 0x80(%rdi)
    mov 0x00(%rdi), %rax
    mov 0x08(%rdi), %rcx
    mov 0x10(%rdi), %rdx
    mov 0x18(%rdi), %rbx
    mov 0x28(%rdi), %rbp
    mov 0x30(%rdi), %rsi
    mov 0x40(%rdi), %r8
    mov 0x48(%rdi), %r9
    mov 0x50(%rdi), %r10
    mov 0x58(%rdi), %r11
    mov 0x60(%rdi), %r12
    mov 0x68(%rdi), %r13
    mov 0x70(%rdi), %r14
    mov 0x78(%rdi), %r15
    mov 0x38(%rdi), %rdi
    .globl run_iret
run_iret:
    iretq

// The stack: rax, vector, error code, rip, cs, rflags, rsp, ss.
common:
    push %rax
    mov current, %rax
    mov %rcx, 0x08(%rax)
    mov %rdx, 0x10(%rax)
    mov %rbx, 0x18(%rax)
    mov %rbp, 0x28(%rax)
    mov %rsi, 0x30(%rax)
    mov %rdi, 0x38(%rax)
    mov %r8, 0x40(%rax)
    mov %r9, 0x48(%rax)
    mov %r10, 0x50(%rax)
    mov %r11, 0x58(%rax)
    mov %r12, 0x60(%rax)
    mov %r13, 0x68(%rax)
    mov %r14, 0x70(%rax)
    mov %r15, 0x78(%rax)
    pushfq
    pop 0xc8(%rax)
    pop 0x00(%rax)
    pop 0xa8(%rax)
    pop 0xb0(%rax)
    mov %rsp, 0xc0(%rax)
    pop 0x80(%rax)
    pop 0x88(%rax)
    pop 0x90(%rax)
    pop 0x98(%rax)
    mov 0x98(%rax), %rcx
    mov %rcx, 0x20(%rax)
    pop 0xa0(%rax)
    mov %cr2, %rcx
    mov %rcx, 0xb8(%rax)
    mov %ds, 0xd0(%rax)
    mov %es, 0xd2(%rax)
    mov %fs, 0xd4(%rax)
    mov %gs, 0xd6(%rax)
    mov %ss, 0xd8(%rax)
    mov %cs, 0xda(%rax)
    mov $0x18, %ecx
    mov %ecx, %ds
    mov %ecx, %es
    mov %ecx, %ss
    mov host_rsp, %rsp
    popfq
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .balign 16
    .globl vectors
vectors:
    .set v, 0
    .rept 256
    .balign 16
    .if v == 8 || (v >= 10 && v <= 14) || v == 17
    .else
    push $0
    .endif
    push $v
    jmp common
    .set v, v + 1
    .endr

// Where SYSCALL goes: tells where it came from as vector 256.
    .globl syscall_entry
syscall_entry:
    mov %rsp, syscall_rsp
    mov $stack_top - 1024, %rsp
    pushq $0
    pushq syscall_rsp
    pushfq
    pushq $0
    pushq %rcx
    pushq $0
    pushq $256
    jmp common

    .section .tables, "aw"
    .balign 4096
    .globl pml4, pdpt, pd_low, pd_user
pml4:
    .quad pdpt + 7
    .fill 511, 8, 0
pdpt:
    .quad pd_low + 7, pd_user + 7, 0, pd_devices + 3
    .fill 508, 8, 0
pd_low:
    .set v, 0
    .rept 512
    .quad v << 21 | 0x83
    .set v, v + 1
    .endr
pd_user:
    .fill 512, 8, 0
pd_devices:
    .fill 503, 8, 0
    .quad 0xfee00093
    .fill 8, 8, 0
    .data
    .balign 16
    .globl gdt, gdt_pointer, idt_pointer, tss
gdt:
    .quad 0, 0
    .quad 0x00af9b000000ffff    // 10 kernel, 64-bit
    .quad 0x00cf93000000ffff    // 18 data
    .quad 0x00cffb000000ffff    // 23 user, 32-bit
    .quad 0x00cff3000000ffff    // 2b data
    .quad 0x00affb000000ffff    // 33 user, 64-bit
    .quad 0x00cf9b000000ffff    // 38 kernel, 32-bit
    .quad 0, 0                  // 40 TSS
    .quad 0, 0                  // 50 LDT
    .fill 20, 8, 0              // 60 to f8: tests'
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .quad gdt
idt_pointer:
    .word 0x7f * 16 + 15
    .quad idt
    .balign 16
tss:
    .fill 0x68, 1, 0
    .bss
    .balign 16
    .skip 16384
    .globl stack_top
stack_top:
host_rsp: .skip 8
current: .skip 8
syscall_rsp: .skip 8
