// What is run in contexts. Position independent; each that goes through ends with int3.
    .macro snip name
    .globl snip_\name
snip_\name:
    .endm
    .section .snippets, "ax"
    .code64
snip nothing
    int3
snip load
    mov (%rbx), %rax
    int3
snip store
    mov %rax, (%rbx)
    int3
snip add_to
    add %rax, (%rbx)
    int3
snip jump
    jmp *%rbx
snip call
    call *%rbx
snip stack_load
    mov (%rbp), %rax
    int3
snip push
    push %rax
    int3
snip divide
    div %ecx
    int3
snip idivide
    idiv %ecx
    int3
snip ud2
    ud2
snip lock_mov
    .byte 0xf0, 0x89, 0xc0
snip too_long
    .fill 15, 1, 0x66
    nop
snip int_gate
    int $0x30
snip int_absent
    int $0x31
snip int_beyond
    int $0x90
snip int_trap
    int $0x32
snip hlt
    hlt
snip cli
    cli
    int3
snip sti
    sti
    int3
snip in
    in $0x80, %al
    int3
snip wrmsr
    wrmsr
    int3
snip rdmsr
    rdmsr
    int3
snip to_cr0
    mov %rax, %cr0
    int3
snip to_cr3
    mov %rax, %cr3
    int3
snip to_cr4
    mov %rax, %cr4
    int3
snip to_cr8
    mov %rax, %cr8
    int3
snip from_cr8
    mov %cr8, %rax
    int3
snip from_cr1
    .byte 0x0f, 0x20, 0xc8
snip from_cr0
    mov %cr0, %rax
    int3
snip from_dr4
    .byte 0x0f, 0x21, 0xe0
    int3
snip to_dr6
    mov %rax, %db6
    int3
snip to_dr7
    mov %rax, %db7
    int3
snip from_dr0
    mov %db0, %rax
    int3
snip fpu
    fld1
    int3
snip fwait
    fwait
    int3
snip sse
    addps %xmm0, %xmm0
    int3
snip x87_error
    fninit
    push %rax
    fldcw (%rsp)
    pop %rax
    fldz
    fld1
    fdivp %st, %st(1)       // 0 / 1 or 1 / 0: divides by 0 with one of them
    fld1
    fldz
    fdivrp %st, %st(1)
    .globl snip_x87_error_next
snip_x87_error_next:
    fwait
    int3
snip sse_error
    push %rax
    ldmxcsr (%rsp)
    pop %rax
    cvtsi2sd %ecx, %xmm1    // 0
    cvtsi2sd %edx, %xmm0
    .globl snip_sse_error_at
snip_sse_error_at:
    divsd %xmm1, %xmm0
    int3
snip sse_misaligned
    movaps 8(%rbx), %xmm0
    int3
snip to_ds
    mov %eax, %ds
    int3
snip to_es
    mov %eax, %es
    int3
snip to_fs
    mov %eax, %fs
    int3
snip to_ss
    mov %eax, %ss
    int3
snip fs_load
    mov %eax, %fs
    mov %fs:(%rbx), %rax
    int3
snip lar
    lar %ecx, %eax
    setz %dl
    int3
snip lsl
    lsl %ecx, %eax
    setz %dl
    int3
snip verr
    verr %cx
    setz %dl
    int3
snip verw
    verw %cx
    setz %dl
    int3
snip lldt
    lldt %ax
    int3
snip ltr
    ltr %ax
    int3
snip lret
    lretq
snip iretq
    iretq
snip ljmp
    ljmpl *(%rbx)
snip lcall
    lcall *(%rbx)
snip syscall
    syscall
    int3
snip sysret64
    sysretq
snip sysret32
    sysretl
snip sysenter
    sysenter
snip swapgs
    swapgs
    mov %gs:(%rbx), %rax
    swapgs
    int3
snip popf
    push %rax
    popfq
    int3
snip pushf
    pushfq
    pop %rax
    int3
snip step
    push %rax
    popfq
    .globl snip_step_1, snip_step_2
snip_step_1:
    inc %ecx
snip_step_2:
    inc %ecx
    int3
snip step_rep
    push %rax
    popfq
    .globl snip_step_rep_1
snip_step_rep_1:
    rep stosb
    int3
snip step_ss
    push %rax
    popfq
    .globl snip_step_ss_1, snip_step_ss_2
    mov %edx, %ss
snip_step_ss_1:
    nop
snip_step_ss_2:
    nop
    int3
snip icebp
    .byte 0xf1
    .globl snip_icebp_next
snip_icebp_next:
    int3
snip two_stores
    mov %eax, (%rbx)
    .globl snip_two_stores_1, snip_two_stores_2
snip_two_stores_1:
    mov %eax, 4(%rbx)
snip_two_stores_2:
    int3
snip sti_window
    sti
    inc %ecx
    .globl snip_sti_window_1
snip_sti_window_1:
    inc %ecx
    inc %ecx
    int3
snip store_wait
    mov %eax, (%rbx)
    mov $1000, %ecx
1:  pause
    dec %ecx
    jnz 1b
    int3
snip wait
    sti
1:  pause
    dec %ecx
    jnz 1b
    int3
snip stac_load
    stac
    mov (%rbx), %rax
    clac
    int3
snip invlpg
    invlpg (%rbx)
    int3
snip cmpxchg16b
    cmpxchg16b 8(%rbx)
    int3
snip movs
    rep movsb
    int3
snip enter
    enter $0x20, $0
    int3

    .code32
snip nothing32
    int3
snip load32
    mov (%ebx), %eax
    int3
snip store32
    mov %eax, (%ebx)
    int3
snip stack_load32
    mov (%ebp), %eax
    int3
snip stack_store32
    mov %eax, (%ebp)
    int3
snip cs_load32
    mov %cs:(%ebx), %eax
    int3
snip cs_store32
    mov %eax, %cs:(%ebx)
    int3
snip es_load32
    mov %es:(%ebx), %eax
    int3
snip fs_load32
    mov %fs:(%ebx), %eax
    int3
snip into32
    into
    int3
snip bound32
    bound %eax, (%ebx)
    int3
snip to_ds32
    mov %eax, %ds
    int3
snip pop_ss32
    push %eax
    pop %ss
    int3
snip push32
    push %eax
    int3
snip pusha32
    pusha
    int3
snip syscall32
    syscall
    int3
snip lret32
    lret
snip retf_to_64
    push %eax
    push %ebx
    lret
snip inc32
    .byte 0x40
    int3
snip jump32
    jmp *%ebx
