// Entry, the primitive run() and the snippets that system.c runs. S mode, flat at 0x80200000.
#define CTX_PC     256
#define CTX_CAUSE  264
#define CTX_TVAL   272
#define CTX_SP     280
#define CTX_STATUS 288

    .section .text.start, "ax"
    .globl _start
_start:
    la sp, stack_top
    la t0, __bss_start
    la t1, _end
1:  sd zero, 0(t0)
    addi t0, t0, 8
    bltu t0, t1, 1b
    call test_main
1:  j 1b

// void run(struct ctx *c, u64 status): continues at c->pc with c->x and the status bits (SPP, SPIE, SUM,
// ...) until a trap, which is put into c. c->x holds the registers then.
    .globl run
run:
    addi sp, sp, -112
    sd ra, 0(sp)
    sd s0, 8(sp)
    sd s1, 16(sp)
    sd s2, 24(sp)
    sd s3, 32(sp)
    sd s4, 40(sp)
    sd s5, 48(sp)
    sd s6, 56(sp)
    sd s7, 64(sp)
    sd s8, 72(sp)
    sd s9, 80(sp)
    sd s10, 88(sp)
    sd s11, 96(sp)
    sd gp, 104(sp)
    sd sp, CTX_SP(a0)
    csrw sscratch, a0
    la t0, run_stvec
    ld t0, 0(t0)
    csrw stvec, t0
    li t0, 0xc6122 // SIE SPIE SPP FS SUM MXR
    csrc sstatus, t0
    csrs sstatus, a1
    ld t0, CTX_PC(a0)
    csrw sepc, t0
    .irp r, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    ld x\r, 8*\r(a0)
    .endr
    ld a0, 80(a0)
    sret

    .balign 4
    .globl trap
trap:
    csrrw a0, sscratch, a0
    .irp r, 1,2,3,4,5,6,7,8,9,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31
    sd x\r, 8*\r(a0)
    .endr
    csrr t0, sscratch
    sd t0, 80(a0)
    csrr t0, sepc
    sd t0, CTX_PC(a0)
    csrr t0, scause
    sd t0, CTX_CAUSE(a0)
    csrr t0, stval
    sd t0, CTX_TVAL(a0)
    csrr t0, sstatus
    sd t0, CTX_STATUS(a0)
    ld sp, CTX_SP(a0)
    ld ra, 0(sp)
    ld s0, 8(sp)
    ld s1, 16(sp)
    ld s2, 24(sp)
    ld s3, 32(sp)
    ld s4, 40(sp)
    ld s5, 48(sp)
    ld s6, 56(sp)
    ld s7, 64(sp)
    ld s8, 72(sp)
    ld s9, 80(sp)
    ld s10, 88(sp)
    ld s11, 96(sp)
    ld gp, 104(sp)
    addi sp, sp, 112
    ret

// A vector table: entry i leaves i in t0 (and spoils t1).
    .balign 256
    .globl vectors
vectors:
    .option push
    .option norvc
    .irp i, 0,1,2,3,4,5,6,7,8,9
    j vector\i
    .endr
    .option pop
    .irp i, 0,1,2,3,4,5,6,7,8,9
vector\i:
    li t0, \i
    la t1, trap
    jr t1
    .endr

// Snippets: one page, so that it can be mapped anywhere. Each ends in a trap.
    .section .snippets, "ax"
    .balign 4096
    .globl snippets
snippets:
    .macro snippet name
    .balign 4
    .globl snip_\name
snip_\name:
    .endm
    snippet load
    ld a0, 0(a1)
    ebreak
    snippet load4
    lw a0, 0(a1)
    ebreak
    snippet store
    sd a0, 0(a1)
    ebreak
    snippet amo
    amoadd.d a0, a2, (a1)
    ebreak
    snippet lrsc
    lr.d a0, (a1)
    addi a0, a0, 1
    sc.d a2, a0, (a1)
    ebreak
    snippet lr
    lr.d a0, (a1)
    ebreak
    snippet sc
    sc.d a2, a0, (a1)
    ebreak
    snippet lrw
    lr.w a0, (a1)
    ebreak
    snippet amow
    amoswap.w a0, a2, (a1)
    ebreak
    snippet call
    jalr a0
    ebreak
    snippet ecall
    ecall
    ebreak
    snippet loop
    addi a0, a0, 1
    j snip_loop
    snippet csrr_cycle
    csrr a0, cycle
    ebreak
    snippet csrr_time
    rdtime a0
    ebreak
    snippet csrr_sstatus
    csrr a0, sstatus
    ebreak
    snippet csrw_cycle
    csrw cycle, a0
    ebreak
    snippet csr_unknown
    csrr a0, 0x5c0
    ebreak
    snippet csr_machine
    csrr a0, mstatus
    ebreak
    snippet fadd
    fadd.d fa0, fa0, fa0
    ebreak
    snippet frm
    csrw frm, a0
    fadd.d fa0, fa0, fa0
    ebreak
    snippet frm_static
    csrw frm, a0
    fadd.d fa0, fa0, fa0, rtz
    ebreak
    snippet flw
    c.fld fa0, 0(a1)
    ebreak
    snippet mret
    mret
    snippet sret
    sret
    snippet wfi
    wfi
    ebreak
    snippet sfence
    sfence.vma
    ebreak
    snippet zero16
    .2byte 0
    snippet ones
    .4byte 0xffffffff
    snippet bad
    .4byte 0x0000707b
    snippet bad_rm
    .4byte 0x02a5d553 // fadd.d with rounding mode 5
    snippet satp
    csrw satp, a0
    sfence.vma
    ld a0, 0(a1)
    csrw satp, a2
    sfence.vma
    ebreak
    snippet patch // overwrites its own next instructions
    sw a0, 0(a1)
    fence.i
    jalr a1
    ebreak
    .balign 4096

    .section .bss
    .balign 16
    .space 16384
stack_top:
