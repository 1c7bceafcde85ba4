// What instructions mean: integer, memory, atomics, control flow and system (Unprivileged 2, 7, 12,
// 13, 28; Privileged 3.3, 4.2). F and D are in lift_fp.c.
//
// Each lifter emits one row's meaning. Faulting operations come before sets, and a set right after
// the operation it stores, which the interpreter fuses. Registers are read before rd is written,
// for rd may be one of them. Pure: depends on the bytes and the mode only.
#include "guest/riscv64/lift.h"

#include "base/compiler.h"

void lift_illegal(struct lift *l) {
    ir_trapif(l->b, ir_const32(l->b, 1), EXC_ILLEGAL, ir_const64(l->b, l->raw));
    ir_jump(l->b, l->next);
}

// ---- integer

void lift_rr(struct lift *l, unsigned op) {
    ir_ref x = lift_rs1(l), y = lift_rs2(l);
    lift_set_rd(l, ir_emit(l->b, op, x, y, 0, 0, 0));
}

void lift_rr_not(struct lift *l, unsigned op) {
    ir_ref x = lift_rs1(l), y = lift_rs2(l);
    ir_ref n = ir_XOR64(l->b, y, ir_const64(l->b, ~(u64)0));
    lift_set_rd(l, ir_emit(l->b, op, x, n, 0, 0, 0));
}

void lift_rr_cmp(struct lift *l, unsigned op) {
    ir_ref x = lift_rs1(l), y = lift_rs2(l);
    lift_set_rd(l, ir_ZEXT32(l->b, ir_emit(l->b, op, x, y, 0, 0, 0)));
}

void lift_ri(struct lift *l, unsigned op) {
    ir_ref x = lift_rs1(l), y = ir_const64(l->b, (u64)(i64)rv_imm_i(l->insn));
    lift_set_rd(l, ir_emit(l->b, op, x, y, 0, 0, 0));
}

void lift_ri_cmp(struct lift *l, unsigned op) {
    ir_ref x = lift_rs1(l), y = ir_const64(l->b, (u64)(i64)rv_imm_i(l->insn));
    lift_set_rd(l, ir_ZEXT32(l->b, ir_emit(l->b, op, x, y, 0, 0, 0)));
}

void lift_shift(struct lift *l, unsigned op) {
    ir_ref x = lift_rs1(l), y = ir_const64(l->b, l->insn >> 20 & 63);
    lift_set_rd(l, ir_emit(l->b, op, x, y, 0, 0, 0));
}

void lift_rr_w(struct lift *l, unsigned op) {
    ir_ref x = ir_TRUNC32(l->b, lift_rs1(l)), y = ir_TRUNC32(l->b, lift_rs2(l));
    lift_set_rd(l, ir_SEXT32(l->b, ir_emit(l->b, op, x, y, 0, 0, 0)));
}

void lift_ri_w(struct lift *l, unsigned op) {
    ir_ref x = ir_TRUNC32(l->b, lift_rs1(l)), y = ir_const32(l->b, (u32)rv_imm_i(l->insn));
    lift_set_rd(l, ir_SEXT32(l->b, ir_emit(l->b, op, x, y, 0, 0, 0)));
}

void lift_shift_w(struct lift *l, unsigned op) {
    ir_ref x = ir_TRUNC32(l->b, lift_rs1(l)), y = ir_const32(l->b, rv_rs2(l->insn));
    lift_set_rd(l, ir_SEXT32(l->b, ir_emit(l->b, op, x, y, 0, 0, 0)));
}

void lift_unary(struct lift *l, unsigned op) {
    lift_set_rd(l, ir_emit(l->b, op, lift_rs1(l), 0, 0, 0, 0));
}

void lift_unary_w(struct lift *l, unsigned op) {
    ir_ref x = ir_TRUNC32(l->b, lift_rs1(l));
    // Counts are at most 32, so the extension does not matter.
    lift_set_rd(l, ir_ZEXT32(l->b, ir_emit(l->b, op, x, 0, 0, 0, 0)));
}

void lift_zext_h(struct lift *l, unsigned arg) {
    (void)arg;
    lift_set_rd(l, ir_AND64(l->b, lift_rs1(l), ir_const64(l->b, 0xffff)));
}

void lift_lui(struct lift *l, unsigned arg) {
    (void)arg;
    lift_set_rd(l, ir_const64(l->b, (u64)(i64)rv_imm_u(l->insn)));
}

void lift_auipc(struct lift *l, unsigned arg) {
    (void)arg;
    lift_set_rd(l, ir_pcrel(l->b, (i64)l->rel + rv_imm_u(l->insn)));
}

// ---- Zba, Zbs

static void shadd(struct lift *l, ir_ref x, unsigned count) {
    ir_ref y = lift_rs2(l), sh = ir_SHL64(l->b, x, ir_const64(l->b, count));
    lift_set_rd(l, ir_ADD64(l->b, sh, y));
}

void lift_shadd(struct lift *l, unsigned count) { shadd(l, lift_rs1(l), count); }

void lift_shadd_uw(struct lift *l, unsigned count) {
    shadd(l, ir_ZEXT32(l->b, ir_TRUNC32(l->b, lift_rs1(l))), count);
}

void lift_slli_uw(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref x = ir_ZEXT32(l->b, ir_TRUNC32(l->b, lift_rs1(l)));
    lift_set_rd(l, ir_SHL64(l->b, x, ir_const64(l->b, l->insn >> 20 & 63)));
}

void lift_bit(struct lift *l, unsigned op) {
    ir_ref x = lift_rs1(l), bit = ir_SHL64(l->b, ir_const64(l->b, 1), lift_rs2(l));
    lift_set_rd(l, ir_emit(l->b, op, x, bit, 0, 0, 0));
}

void lift_biti(struct lift *l, unsigned op) {
    ir_ref x = lift_rs1(l), bit = ir_const64(l->b, (u64)1 << (l->insn >> 20 & 63));
    lift_set_rd(l, ir_emit(l->b, op, x, bit, 0, 0, 0));
}

void lift_bext(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref x = lift_rs1(l), down = ir_SHRU64(l->b, x, lift_rs2(l));
    lift_set_rd(l, ir_AND64(l->b, down, ir_const64(l->b, 1)));
}

void lift_bexti(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref down = ir_SHRU64(l->b, lift_rs1(l), ir_const64(l->b, l->insn >> 20 & 63));
    lift_set_rd(l, ir_AND64(l->b, down, ir_const64(l->b, 1)));
}

// ---- memory

void lift_load(struct lift *l, unsigned op) {
    ir_ref v = ir_emit(l->b, op, lift_rs1(l), 0, 0, 0, (u64)(i64)rv_imm_i(l->insn));
    lift_set_rd(l, v);
}

void lift_store(struct lift *l, unsigned op) {
    ir_ref addr = lift_rs1(l), v = lift_rs2(l);
    ir_emit(l->b, op, addr, v, 0, 0, (u64)(i64)rv_imm_s(l->insn));
}

// Fences order nothing that one hart could see out of order.
void lift_nothing(struct lift *l, unsigned arg) {
    (void)l;
    (void)arg;
}

// ---- atomics. With one hart, nothing comes between the load and the store.

static ir_ref atomic_addr(struct lift *l, unsigned bytes, unsigned cause) {
    ir_ref addr = lift_rs1(l);
    ir_ref low = ir_AND64(l->b, addr, ir_const64(l->b, bytes - 1));
    ir_trapif(l->b, ir_NE64(l->b, low, ir_const64(l->b, 0)), cause, addr);
    return addr;
}

void lift_lr(struct lift *l, unsigned bytes) {
    ir_ref addr = atomic_addr(l, bytes, EXC_LOAD_MISALIGNED);
    ir_ref v = ir_emit(l->b, bytes == 4 ? IR_LDS32 : IR_LD64, addr, 0, 0, 0, 0);
    lift_set_rd(l, v);
    ir_set(l->b, RV_RES_ADDR, addr);
    ir_set(l->b, RV_RES_VAL, v);
}

// Stores what is there already when it fails, so that it stays straight code; no one can tell. The
// value is compared too: that notices devices writing, or other memory behind the address.
void lift_sc(struct lift *l, unsigned bytes) {
    ir_ref addr = atomic_addr(l, bytes, EXC_STORE_MISALIGNED), v = lift_rs2(l);
    ir_ref raw = ir_ldw(l->b, bytes == 4 ? IR_LDW32 : IR_LDW64, addr, 0);
    ir_ref old = bytes == 4 ? ir_SEXT32(l->b, ir_TRUNC32(l->b, raw)) : raw;
    ir_ref ok = ir_AND32(l->b, ir_EQ64(l->b, ir_get(l->b, RV_RES_ADDR), addr),
                         ir_EQ64(l->b, ir_get(l->b, RV_RES_VAL), old));
    ir_emit(l->b, bytes == 4 ? IR_ST32 : IR_ST64, addr, ir_SEL64(l->b, ok, v, old), 0, 0, 0);
    lift_set_rd(l, ir_ZEXT32(l->b, ir_XOR32(l->b, ok, ir_const32(l->b, 1))));
    ir_set(l->b, RV_RES_ADDR, ir_const64(l->b, RES_NONE));
}

void lift_amo_w(struct lift *l, unsigned op) {
    ir_ref addr = atomic_addr(l, 4, EXC_STORE_MISALIGNED), v = lift_rs2(l);
    ir_ref raw = ir_ldw(l->b, IR_LDW32, addr, 0), x = raw;
    ir_ref old = ir_SEXT32(l->b, ir_TRUNC32(l->b, raw));
    if (op == IR_MINS64 || op == IR_MAXS64) {
        v = ir_SEXT32(l->b, ir_TRUNC32(l->b, v));
        x = old;
    } else if (op == IR_MINU64 || op == IR_MAXU64) {
        v = ir_ZEXT32(l->b, ir_TRUNC32(l->b, v));
    }
    ir_ST32(l->b, addr, 0, op ? ir_emit(l->b, op, x, v, 0, 0, 0) : v);
    lift_set_rd(l, old);
}

void lift_amo_d(struct lift *l, unsigned op) {
    ir_ref addr = atomic_addr(l, 8, EXC_STORE_MISALIGNED), v = lift_rs2(l);
    ir_ref old = ir_ldw(l->b, IR_LDW64, addr, 0);
    ir_ST64(l->b, addr, 0, op ? ir_emit(l->b, op, old, v, 0, 0, 0) : v);
    lift_set_rd(l, old);
}

// ---- control flow

void lift_branch(struct lift *l, unsigned op) {
    ir_ref x = lift_rs1(l), y = lift_rs2(l);
    ir_branch(l->b, ir_emit(l->b, op, x, y, 0, 0, 0), (i64)l->rel + rv_imm_b(l->insn), l->next);
}

static bool is_link(unsigned r) { return r == 1 || r == 5; }

void lift_jal(struct lift *l, unsigned arg) {
    (void)arg;
    lift_set_rd(l, ir_pcrel(l->b, l->next));
    i64 to = (i64)l->rel + rv_imm_j(l->insn);
    if (is_link(rv_rd(l->insn)))
        ir_jump_call(l->b, to);
    else
        ir_jump(l->b, to);
}

// Return-address stack hints: Unprivileged 2.5.1, table 3.
static enum ir_jump_hint jalr_hint(unsigned rd, unsigned rs1) {
    if (is_link(rd)) return IR_JUMP_CALL;
    return is_link(rs1) ? IR_JUMP_RETURN : IR_JUMP_PLAIN;
}

void lift_jalr(struct lift *l, unsigned arg) {
    (void)arg;
    ir_ref t = ir_ADD64(l->b, lift_rs1(l), ir_const64(l->b, (u64)(i64)rv_imm_i(l->insn)));
    t = ir_AND64(l->b, t, ir_const64(l->b, ~(u64)1));
    lift_set_rd(l, ir_pcrel(l->b, l->next));
    ir_jumpind(l->b, t, jalr_hint(rv_rd(l->insn), rv_rs1(l->insn)));
}

// ---- system

static void leave_to_next(struct lift *l) {
    ir_set(l->b, RV_PC, ir_pcrel(l->b, l->next));
    ir_leave(l->b);
}

void lift_fence_i(struct lift *l, unsigned arg) {
    (void)arg;
    ir_call(l->b, HELPER_fence_i, 0, 0, 0, 0);
    leave_to_next(l);
}

void lift_ebreak(struct lift *l, unsigned arg) {
    (void)arg;
    ir_trapif(l->b, ir_const32(l->b, 1), EXC_BREAKPOINT, ir_pcrel(l->b, l->rel));
    ir_jump(l->b, l->next);
}

void lift_system(struct lift *l, unsigned helper) {
    ir_call(l->b, helper, 0, 0, 0, l->raw);
    leave_to_next(l);
}

void lift_sret(struct lift *l, unsigned arg) {
    (void)arg;
    ir_call(l->b, HELPER_sret, 0, 0, 0, l->raw); // sets the pc cell
    ir_leave(l->b);
}

void lift_sfence(struct lift *l, unsigned arg) {
    (void)arg;
    ir_call(l->b, HELPER_sfence_vma, lift_rs1(l), lift_rs2(l), 0, l->insn);
    leave_to_next(l);
}

// Registers that are nothing but cells, and what is kept of a write to them. They are what a trap
// handler begins and ends with.
static const struct {
    u16 csr;
    u16 cell;
    u64 writable;
} plain_csrs[] = {
    {0x140, offsetof(struct rv64_state, sscratch), ~(u64)0},
    {0x141, offsetof(struct rv64_state, sepc), ~(u64)1},
    {0x142, offsetof(struct rv64_state, scause), ~(u64)0},
    {0x143, offsetof(struct rv64_state, stval), ~(u64)0},
};

enum { CSR_SSTATUS = 0x100, CSR_WRITE = 1, CSR_SET = 2 };

static ir_ref csr_new_value(struct lift *l, unsigned how, ir_ref old, ir_ref v) {
    if (how == CSR_WRITE) return v;
    if (how == CSR_SET) return ir_OR64(l->b, old, v);
    return ir_AND64(l->b, old, ir_XOR64(l->b, v, ir_const64(l->b, ~(u64)0)));
}

static bool lift_plain_csr(struct lift *l, unsigned how, ir_ref v, bool writes) {
    for (size_t i = 0; i < ARRAY_LEN(plain_csrs); i++) {
        if (plain_csrs[i].csr != l->insn >> 20) continue;
        ir_ref old = ir_get(l->b, plain_csrs[i].cell);
        if (writes) {
            v = ir_AND64(l->b, csr_new_value(l, how, old, v),
                         ir_const64(l->b, plain_csrs[i].writable));
            ir_set(l->b, plain_csrs[i].cell, v);
        }
        lift_set_rd(l, old);
        return true;
    }
    return false;
}

// Reading sstatus, and switching interrupts by an immediate, which cannot reach more than SIE.
// What may have become possible is looked at when SIE was set.
static bool lift_sstatus(struct lift *l, unsigned how, unsigned field, bool writes) {
    bool immediate = rv_funct3(l->insn) & 4;
    if (l->insn >> 20 != CSR_SSTATUS || (writes && (!immediate || how == CSR_WRITE))) return false;
    u64 constant = SSTATUS_UXL64 | (l->mode != MODE_FS_OFF ? SSTATUS_SD : 0);
    ir_ref stored = ir_get(l->b, RV_SSTATUS);
    u64 bits = writes ? field & SSTATUS_STORED : 0;
    if (bits && how == CSR_SET)
        ir_set(l->b, RV_SSTATUS, ir_OR64(l->b, stored, ir_const64(l->b, bits)));
    else if (bits)
        ir_set(l->b, RV_SSTATUS, ir_AND64(l->b, stored, ir_const64(l->b, ~bits)));
    if (rv_rd(l->insn)) lift_set_rd(l, ir_OR64(l->b, stored, ir_const64(l->b, constant)));
    if (bits && how == CSR_SET) leave_to_next(l);
    return true;
}

void lift_csr(struct lift *l, unsigned arg) {
    (void)arg;
    unsigned f3 = rv_funct3(l->insn), field = rv_rs1(l->insn), how = f3 & 3;
    ir_ref v = f3 & 4 ? ir_const64(l->b, field) : lift_rs1(l);
    bool writes = how == CSR_WRITE || field != 0;
    if (l->s_mode && (lift_plain_csr(l, how, v, writes) || lift_sstatus(l, how, field, writes)))
        return;
    bool mode = writes && rv64_csr_changes_mode(l->insn >> 20);
    ir_ref old = ir_call(l->b, mode ? HELPER_csr_mode : HELPER_csr, v, 0, 0, l->insn);
    lift_set_rd(l, old);
    if (mode) leave_to_next(l);
}

// ---- the entry

static const struct {
    lift_fn *fn;
    u32 arg;
} lifters[RV_COUNT] = {
#define RV(ext, id, name, match, mask, format, lifter, arg) [RV_##id] = {lift_##lifter, arg},
#include "guest/riscv64/insns.def"
};

static bool needs_fp(enum rv_id id) { return rv_rows[id].ext == 'F' || rv_rows[id].ext == 'D'; }

unsigned rv64_lift(struct ir_block *b, const u8 *code, unsigned avail, i32 rel, u32 mode) {
    if (avail < 2) return LIFT_SHORT;
    u32 raw = get_le16(code);
    unsigned len = rv_length(raw);
    if (avail < len) return LIFT_SHORT;
    if (len == 4) raw = get_le32(code);
    u32 insn = len == 2 ? rv_expand(raw) : raw;
    struct lift l = {b, insn, raw, rel, rel + (i32)len, mode & MODE_FP, (mode & MODE_S) != 0};
    ir_insn_start(b, rel, len);
    enum rv_id id = rv_decode(insn);
    if (id == RV_ILLEGAL || (l.mode == MODE_FS_OFF && needs_fp(id)))
        lift_illegal(&l);
    else
        lifters[id].fn(&l, lifters[id].arg);
    return len;
}
