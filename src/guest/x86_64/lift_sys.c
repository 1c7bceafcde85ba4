// System instructions: mostly a call of their helper. Those that may change what code depends on
// end the block. What every entry into a kernel and every way out of it does (SWAPGS, CLI, STAC,
// PUSHF) does neither end it nor need the cells in memory.
#include "guest/x86_64/lift.h"

#define B (l->b)

static ir_ref k(struct lift *l, u64 v) { return ir_const64(l->b, v); }

void xlift_privileged(struct lift *l) {
    ir_trapif(B, ir_NE64(B, ir_get(B, X86_CELL(cpl)), k(l, 0)), CAUSE_GP0, k(l, 0));
}

void xlift_sys(struct lift *l, unsigned helper) { ir_call(B, helper, 0, 0, 0, l->d.opsize); }

void xlift_sys_leave(struct lift *l, unsigned helper) {
    ir_call(B, helper, 0, 0, 0, l->d.opsize);
    xlift_leave_next(l);
}

// The helper sets the pc.
void xlift_sys_enter(struct lift *l, unsigned helper) {
    ir_call(B, helper, xlift_ip(l, l->next), 0, 0, l->d.opsize);
    ir_leave_as(B, IR_JUMP_CALL);
}

void xlift_sys_return(struct lift *l, unsigned helper) {
    ir_call(B, helper, 0, 0, 0, l->d.opsize);
    ir_leave_as(B, IR_JUMP_RETURN);
}

// SYSCALL and SYSRET: the helper refuses before it changes anything.
static void refuse(struct lift *l, ir_ref refused) {
    ir_trapif(B, ir_NE64(B, refused, k(l, 0)), EXC_UD, k(l, 0));
}

void xlift_syscall(struct lift *l, unsigned arg) {
    (void)arg;
    refuse(l, ir_call(B, HELPER_syscall, xlift_ip(l, l->next), 0, 0, l->d.opsize));
    ir_leave_as(B, IR_JUMP_CALL);
}

void xlift_sysret(struct lift *l, unsigned arg) {
    (void)arg;
    refuse(l, ir_call(B, HELPER_sysret, 0, 0, 0, l->d.opsize));
    ir_leave_as(B, IR_JUMP_RETURN);
}

void xlift_sti(struct lift *l, unsigned arg) {
    bool ends = xlift_careful(l);
    (void)arg;
    ir_ref how = ir_call(B, HELPER_sti, 0, 0, 0, ends);
    ir_trapif(B, ir_EQ64(B, how, k(l, STI_REFUSED)), CAUSE_GP0, k(l, 0));
    if (ends)
        xlift_leave_next(l);
    else
        ir_trapif(B, ir_EQ64(B, how, k(l, STI_LOOK)), CAUSE_RESUME, ir_pcrel(B, l->next));
}

void xlift_cli(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref refused = ir_call(B, HELPER_cli, 0, 0, 0, 0);
    ir_trapif(B, ir_NE64(B, refused, k(l, 0)), CAUSE_GP0, k(l, 0));
}

// CLAC and STAC. What may be accessed depends on AC, but no cached translation does (mmu.c).
void xlift_set_ac(struct lift *l, unsigned on) {
    ir_trapif(B, ir_NE64(B, ir_get(B, X86_CELL(cpl)), k(l, 0)), EXC_UD, k(l, 0));
    ir_call(B, HELPER_set_ac, 0, 0, 0, on);
}

// INVD, WBINVD.
void xlift_no_cache(struct lift *l, unsigned arg) { (void)l, (void)arg; }

void xlift_clflush(struct lift *l, unsigned arg) {
    (void)arg;
    xlift_load(l, xlift_ea(l), 1); // faults as a load; there is no cache to flush
}

// ---- flags

void xlift_pushf(struct lift *l, unsigned arg) {
    (void)arg;
    if (!xlift_64(l)) {
        xlift_stack_push(l, ir_call(B, HELPER_pushf, 0, 0, 0, 0), l->d.opsize);
        return;
    }
    ir_ref down = ir_SHRS64(B, ir_get(B, X86_CELL(df)), k(l, 63));
    ir_ref v = ir_OR64(B, xlift_status(l), ir_AND64(B, down, k(l, FL_DF)));
    ir_ref rest = ir_AND64(B, ir_call(B, HELPER_rflags, 0, 0, 0, 0), k(l, ~(u64)(FL_VM | FL_RF)));
    xlift_stack_push(l, ir_OR64(B, v, rest), l->d.opsize);
}

void xlift_popf(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = xlift_stack_peek(l, l->d.opsize);
    ir_call(B, HELPER_popf, v, 0, 0, l->d.opsize);
    xlift_stack_drop(l, l->d.opsize, 0);
    xlift_leave_next(l);
}

// ---- selectors and tables

void xlift_store_sel(struct lift *l, unsigned which) {
    ir_ref v = ir_call(B, HELPER_store_sel, 0, 0, 0, which);
    xlift_assign(l, 0, xlift_zext(l, v, x86_operand_size(&l->d, 0)));
}

void xlift_load_sel(struct lift *l, unsigned helper) {
    ir_call(B, helper, xlift_read(l, 0), 0, 0, 0);
    xlift_leave_next(l);
}

static void set_zf(struct lift *l, ir_ref zf64) {
    ir_ref rest = ir_AND64(B, xlift_status(l), k(l, FL_STATUS & ~FL_ZF));
    xlift_set_status(l, ir_OR64(B, rest, ir_SHL64(B, zf64, k(l, 6))));
}

void xlift_verify(struct lift *l, unsigned write) {
    set_zf(l, ir_call(B, HELPER_verify, xlift_read(l, 0), 0, 0, write));
}

void xlift_lar(struct lift *l, unsigned limit) {
    unsigned size = l->d.opsize;
    ir_ref v = ir_call(B, HELPER_lar, xlift_read(l, 1), 0, 0, limit);
    ir_ref ok = ir_SHRU64(B, v, k(l, 32));
    ir_ref old = size == 2 ? xlift_reg(l, l->d.reg, 2) : ir_get(B, X86_R(l->d.reg));
    ir_ref is = ir_NE64(B, ok, k(l, 0));
    xlift_set_reg(l, l->d.reg, size,
                  ir_SEL64(B, is, xlift_zext(l, xlift_zext(l, v, 4), size), old));
    set_zf(l, ok);
}

void xlift_arpl(struct lift *l, unsigned arg) {
    (void)arg;
    struct place p = xlift_place(l, 0);
    ir_ref src = xlift_read(l, 1), v;
    if (p.mem) { // is written only when it changes
        i32 disp;
        ir_ref a = xlift_linear(l, p.ea, 2, false, &disp);
        v = ir_call(B, HELPER_arpl, a, src, 0, 1);
    } else {
        v = ir_call(B, HELPER_arpl, xlift_reg(l, p.reg, 2), src, 0, 0);
        xlift_set_reg(l, p.reg, 2, xlift_zext(l, v, 2));
    }
    set_zf(l, ir_SHRU64(B, v, k(l, 16)));
}

void xlift_store_table(struct lift *l, unsigned which) {
    unsigned n = xlift_64(l) ? 8 : 4;
    struct ea ea = xlift_ea(l), up = xlift_ea_plus(l, ea, 2);
    ir_ref limit = ir_call(B, HELPER_table_limit, 0, 0, 0, which);
    ir_ref base = ir_call(B, HELPER_table_base, 0, 0, 0, which);
    xlift_load_rmw(l, up, n);
    xlift_store(l, ea, 2, limit);
    xlift_store(l, up, n, base);
}

void xlift_load_table(struct lift *l, unsigned which) {
    struct ea ea = xlift_ea(l);
    ir_ref limit = xlift_load(l, ea, 2);
    ir_ref base = xlift_load(l, xlift_ea_plus(l, ea, 2), xlift_64(l) ? 8 : 4);
    if (!xlift_64(l) && l->d.opsize == 2) base = ir_AND64(B, base, k(l, 0xffffff));
    ir_call(B, HELPER_set_table, limit, base, 0, which);
    xlift_leave_next(l);
}

// ---- control registers, translation

// Registers that do not exist are #UD at any privilege.
static bool exists(struct lift *l, u32 numbers) {
    bool ok = numbers >> l->d.reg & 1;
    if (!ok)
        xlift_undefined(l, 0);
    else
        xlift_privileged(l);
    return ok;
}

enum { CR_NUMBERS = 0x11d, DR_NUMBERS = 0xff };

void xlift_mov_from_cr(struct lift *l, unsigned arg) {
    (void)arg;
    if (!exists(l, CR_NUMBERS)) return;
    unsigned helper = l->d.reg == 8 ? HELPER_read_cr8 : HELPER_read_cr;
    xlift_assign(l, 0, ir_call(B, helper, 0, 0, 0, l->d.reg));
}

void xlift_mov_to_cr(struct lift *l, unsigned arg) {
    (void)arg;
    if (!exists(l, CR_NUMBERS)) return;
    ir_call(B, HELPER_write_cr, xlift_read(l, 1), 0, 0, l->d.reg);
    xlift_leave_next(l);
}

void xlift_mov_from_dr(struct lift *l, unsigned arg) {
    (void)arg;
    if (!exists(l, DR_NUMBERS)) return;
    xlift_assign(l, 0, ir_call(B, HELPER_read_dr, 0, 0, 0, l->d.reg));
}

void xlift_mov_to_dr(struct lift *l, unsigned arg) {
    (void)arg;
    if (!exists(l, DR_NUMBERS)) return;
    ir_call(B, HELPER_write_dr, xlift_read(l, 1), 0, 0, l->d.reg);
    xlift_leave_next(l);
}

static ir_ref whole_address(struct lift *l) {
    struct ea ea = xlift_ea(l);
    return ea.disp ? ir_ADD64(B, ea.addr, k(l, (u64)(i64)ea.disp)) : ea.addr;
}

void xlift_invlpg(struct lift *l, unsigned arg) {
    (void)arg;
    ir_call(B, HELPER_invlpg, whole_address(l), 0, 0, 0);
    xlift_leave_next(l);
}

void xlift_invpcid(struct lift *l, unsigned arg) {
    (void)arg;
    struct ea ea = xlift_ea(l);
    ir_ref pcid = xlift_load(l, ea, 8), va = xlift_load(l, xlift_ea_plus(l, ea, 8), 8);
    ir_call(B, HELPER_invpcid, xlift_read(l, 0), pcid, va, 0);
    xlift_leave_next(l);
}

void xlift_swapgs(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref base = ir_get(B, X86_BASE(SEG_GS));
    ir_set(B, X86_BASE(SEG_GS), ir_get(B, X86_CELL(kernel_gs)));
    ir_set(B, X86_CELL(kernel_gs), base);
}

void xlift_rdbase(struct lift *l, unsigned seg) {
    ir_call(B, HELPER_base_ok, 0, 0, 0, 0);
    ir_ref v = ir_get(B, X86_BASE(seg));
    xlift_assign(l, 0, xlift_zext(l, v, x86_operand_size(&l->d, 0)));
}

void xlift_wrbase(struct lift *l, unsigned seg) {
    ir_ref v = xlift_read(l, 0);
    ir_call(B, HELPER_base_ok, v, 0, 0, 0);
    ir_set(B, X86_BASE(seg), v);
}

// ---- values from outside

void xlift_rdpid(struct lift *l, unsigned arg) {
    (void)arg;
    xlift_assign(l, 0, ir_call(B, HELPER_rdpid, 0, 0, 0, 0));
}

void xlift_rdrand(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = ir_call(B, HELPER_random, 0, 0, 0, 0);
    xlift_assign(l, 0, xlift_zext(l, v, l->d.opsize));
    xlift_set_status(l, k(l, FL_CF));
}

void xlift_in(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned size = x86_operand_size(&l->d, 0);
    ir_ref v = ir_call(B, HELPER_in, xlift_read(l, 1), 0, 0, size);
    xlift_assign(l, 0, v);
}

void xlift_out(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref v = xlift_read(l, 1);
    ir_call(B, HELPER_out, xlift_read(l, 0), v, 0, x86_operand_size(&l->d, 1));
    xlift_leave_next(l);
}
