# Saves, restores and fields off one base: one look at the TLB for each run of them.
    addi sp, sp, -48
    sd ra, 40(sp)
    sd s0, 32(sp)
    sd s1, 24(sp)
    ld s0, 0(a0)
    lw s1, 8(a0)
    add s0, s0, s1
    sd s0, 16(a0)
    ld ra, 40(sp)
    ld s0, 32(sp)
    ld s1, 24(sp)
    addi sp, sp, 48
    ret
