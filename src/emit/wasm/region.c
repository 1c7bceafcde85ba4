// Regions to WebAssembly. Guest registers live in locals inside the function: loaded at entry,
// written back at its exits. Values are emitted as expression trees where they are used once, else
// as locals. Depends on ir/ and the encoder; knows the engine only through struct region_abi.
//
// Invariants: budget counts whole blocks, charged at their ends and looked at on backward ways
// only; a faulting access leaves through one shared exit that writes every cell the region may have
// written, which is right because all of them were loaded at entry.
#include "emit/wasm/region.h"

#include <assert.h>
#include <string.h>

#include "emit/wasm/encode.h"
#include "emit/wasm/structure.h"
#include "ir/ops.h"

enum { T_REGION, T_HELPER, T_SLOW_LOAD, T_SLOW_STORE, T_BINARY, T_RAISE, T_PLACE };
enum { L_STATE, L_BUDGET, L_TLB, L_PTR, L_ENTRY, L_VA, L_PC, L_CELLS }; // locals by number
enum { PAGE = 4096, META_SHIFT = 12 };

enum place_kind { V_NONE, V_CONST, V_CELL, V_LOCAL, V_TREE };

struct emit {
    const struct region *r;
    const struct region_abi *abi;
    struct buf code;
    bool failed;
    // State cells in locals.
    u32 cells[REGION_CELLS];
    bool written[REGION_CELLS];
    unsigned ncells;
    // Value locals by type, after the cells: taken in a block, free again in the next.
    u8 types[2048];
    unsigned nlocals, first_value;
    u8 busy[2048];
    // The block being emitted.
    const struct region_block *b;
    u8 kind[IR_BLOCK_CAP];
    u16 local[IR_BLOCK_CAP]; // V_LOCAL: its local; V_CELL: the cell's
    u16 uses[IR_BLOCK_CAP];
    ir_ref trees[256]; // values not emitted yet, to be used once
    unsigned ntrees;
    u32 meta;
    u32 insns;
    unsigned depth; // labels the structure has opened inside the three exits
};

enum { EXIT_CHAIN, EXIT_LEAVE, EXIT_FAULT }; // labels around the body, innermost first

static struct buf *out(struct emit *e) { return &e->code; }

static u32 op_arity(const struct ir_insn *o) {
    return o->op == IR_CALL ? 3 : ir_ops[o->op].noperands;
}

// ---- cells

static int cell_index(struct emit *e, u32 cell) {
    for (unsigned i = 0; i < e->ncells; i++)
        if (e->cells[i] == cell) return (int)i;
    if (e->ncells == REGION_CELLS) {
        e->failed = true;
        return 0;
    }
    e->cells[e->ncells] = cell;
    e->written[e->ncells] = false;
    return (int)e->ncells++;
}

static void find_cells(struct emit *e) {
    for (unsigned k = 0; k < e->r->n; k++)
        for (u32 i = 1; i < e->r->blocks[k].nops; i++) {
            const struct ir_insn *o = &e->r->blocks[k].ops[i];
            if ((o->op != IR_GET && o->op != IR_SET) || o->imm == e->abi->pc_cell) continue;
            int c = cell_index(e, (u32)o->imm);
            if (o->op == IR_SET) e->written[c] = true;
        }
}

static void store_cells(struct emit *e) {
    for (unsigned i = 0; i < e->ncells; i++) {
        if (!e->written[i]) continue;
        w_local(out(e), W_LOCAL_GET, L_STATE);
        w_local(out(e), W_LOCAL_GET, L_CELLS + i);
        w_mem(out(e), W_I64_STORE, 3, e->cells[i]);
    }
}

static void load_cells(struct emit *e) {
    for (unsigned i = 0; i < e->ncells; i++) {
        w_local(out(e), W_LOCAL_GET, L_STATE);
        w_mem(out(e), W_I64_LOAD, 3, e->cells[i]);
        w_local(out(e), W_LOCAL_SET, L_CELLS + i);
    }
}

// ---- the engine's variables

static void cpu_load64(struct emit *e, u32 off) {
    w_i32_const(out(e), e->abi->cpu);
    w_mem(out(e), W_I64_LOAD, 3, off);
}

static void store_budget(struct emit *e) {
    w_i32_const(out(e), e->abi->cpu);
    w_local(out(e), W_LOCAL_GET, L_BUDGET);
    w_op(out(e), W_I64_EXTEND_I32_S);
    w_mem(out(e), W_I64_STORE, 3, e->abi->budget);
}

static void load_budget(struct emit *e) {
    cpu_load64(e, e->abi->budget);
    w_op(out(e), W_I32_WRAP_I64);
    w_local(out(e), W_LOCAL_SET, L_BUDGET);
}

static void load_tlb(struct emit *e) {
    w_i32_const(out(e), e->abi->cpu);
    w_mem(out(e), W_I32_LOAD, 2, e->abi->tlb_cur);
    w_local(out(e), W_LOCAL_SET, L_TLB);
}

static void call_indirect(struct emit *e, u32 type, u32 function) {
    w_i32_const(out(e), (i32)function);
    w_op(out(e), W_CALL_INDIRECT);
    w_u32(out(e), type);
    w_u32(out(e), 0);
}

static void br(struct emit *e, u8 op, unsigned exit) {
    w_op(out(e), op);
    w_u32(out(e), e->depth + exit);
}

// ---- values

static u8 wtype(enum ir_type t) {
    switch (t) {
    case IR_I32:
        return W_T_I32;
    case IR_F32:
        return W_T_F32;
    case IR_F64:
        return W_T_F64;
    default:
        return W_T_I64;
    }
}

static u32 take_local(struct emit *e, u8 type) {
    for (unsigned i = e->first_value; i < e->nlocals; i++)
        if (!e->busy[i] && e->types[i] == type) {
            e->busy[i] = 1;
            return i;
        }
    if (e->nlocals == sizeof e->types) {
        e->failed = true;
        return e->first_value;
    }
    e->types[e->nlocals] = type;
    e->busy[e->nlocals] = 1;
    return e->nlocals++;
}

static void push(struct emit *e, ir_ref r);

static void drop_use(struct emit *e, ir_ref r) {
    assert(e->uses[r]);
    if (--e->uses[r] == 0 && e->kind[r] == V_LOCAL) e->busy[e->local[r]] = 0;
}

static void canonical_nan(struct emit *e, enum ir_type t) {
    u32 x = take_local(e, wtype(t));
    w_local(out(e), W_LOCAL_TEE, x);
    if (t == IR_F64) {
        w_i64_const(out(e), 0x7ff8000000000000);
        w_op(out(e), W_F64_REINTERPRET_I64);
    } else {
        w_i32_const(out(e), 0x7fc00000);
        w_op(out(e), W_F32_REINTERPRET_I32);
    }
    w_local(out(e), W_LOCAL_GET, x);
    w_local(out(e), W_LOCAL_GET, x);
    w_op(out(e), t == IR_F64 ? W_F64_EQ : W_F32_EQ);
    w_op(out(e), W_SELECT);
    e->busy[x] = 0;
}

// Division: total in the IR, trapping in wasm. The operands are in locals a and b.
static void divide(struct emit *e, enum ir_op op, u32 a, u32 b) {
    bool w = op == IR_DIVU32 || op == IR_DIVS32 || op == IR_REMU32 || op == IR_REMS32;
    bool sign = op == IR_DIVS64 || op == IR_REMS64 || op == IR_DIVS32 || op == IR_REMS32;
    bool rem = op == IR_REMU64 || op == IR_REMS64 || op == IR_REMU32 || op == IR_REMS32;
    u8 base = w ? W_I32_DIV_S : W_I64_DIV_S;
    u8 opcode = (u8)(base + (sign ? 0 : 1) + (rem ? 2 : 0));
    struct buf *o = out(e);
    // Divisors 0 and (signed) -1 are the odd ones: b + sign <=u sign.
    w_local(o, W_LOCAL_GET, b);
    if (w)
        w_i32_const(o, sign);
    else
        w_i64_const(o, sign);
    w_op(o, w ? W_I32_ADD : W_I64_ADD);
    if (w)
        w_i32_const(o, sign);
    else
        w_i64_const(o, sign);
    w_op(o, w ? 0x4d : W_I64_LE_U);
    w_op(o, W_IF);
    w_op(o, w ? W_T_I32 : W_T_I64);
    // b == 0: x / 0 = -1, x % 0 = x;  b == -1: -x and 0
    if (rem)
        w_local(o, W_LOCAL_GET, a);
    else if (w)
        w_i32_const(o, -1);
    else
        w_i64_const(o, -1);
    if (w)
        w_i32_const(o, 0);
    else
        w_i64_const(o, 0);
    if (!rem) {
        w_local(o, W_LOCAL_GET, a);
        w_op(o, w ? W_I32_SUB : W_I64_SUB);
    }
    w_local(o, W_LOCAL_GET, b);
    w_op(o, w ? W_I32_EQZ : W_I64_EQZ);
    w_op(o, W_SELECT);
    w_op(o, W_ELSE);
    w_local(o, W_LOCAL_GET, a);
    w_local(o, W_LOCAL_GET, b);
    w_op(o, opcode);
    w_op(o, W_END);
}

static void min_max(struct emit *e, enum ir_op op, u32 a, u32 b) {
    static const u8 compare[] = {[IR_MINS64 - IR_MINS64] = 0x53,
                                 [IR_MAXS64 - IR_MINS64] = 0x55,
                                 [IR_MINU64 - IR_MINS64] = 0x54,
                                 [IR_MAXU64 - IR_MINS64] = 0x56};
    w_local(out(e), W_LOCAL_GET, a);
    w_local(out(e), W_LOCAL_GET, b);
    w_local(out(e), W_LOCAL_GET, a);
    w_local(out(e), W_LOCAL_GET, b);
    w_op(out(e), compare[op - IR_MINS64]);
    w_op(out(e), W_SELECT);
}

// An operation on operands in locals of their own.
static bool with_locals(struct emit *e, enum ir_op op, ir_ref x, ir_ref y) {
    bool div = op == IR_DIVU64 || op == IR_DIVS64 || op == IR_REMU64 || op == IR_REMS64 ||
               op == IR_DIVU32 || op == IR_DIVS32 || op == IR_REMU32 || op == IR_REMS32;
    bool mm = op >= IR_MINS64 && op <= IR_MAXU64;
    if (!div && !mm) return false;
    u8 t = wtype(ir_operand_type(op, 0));
    u32 a = take_local(e, t), b = take_local(e, t);
    push(e, x);
    w_local(out(e), W_LOCAL_SET, a);
    push(e, y);
    w_local(out(e), W_LOCAL_SET, b);
    if (div)
        divide(e, op, a, b);
    else
        min_max(e, op, a, b);
    e->busy[a] = e->busy[b] = 0;
    return true;
}

static void fallback(struct emit *e, const struct ir_insn *o) {
    enum ir_type rt = (enum ir_type)ir_ops[o->op].result;
    u32 f = rt == IR_I64 || rt == IR_I32 ? e->abi->fallback((enum ir_op)o->op) : 0;
    if (!f) {
        e->failed = true;
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        ir_ref x = i ? o->b : o->a;
        enum ir_type t = ir_operand_type((enum ir_op)o->op, i);
        if (x)
            push(e, x);
        else
            w_i64_const(out(e), 0);
        if (x && t == IR_I32)
            w_op(out(e), W_I64_EXTEND_I32_U);
        else if (x && t != IR_I64)
            e->failed = true;
    }
    call_indirect(e, T_BINARY, f);
    if (rt == IR_I32) w_op(out(e), W_I32_WRAP_I64);
}

static void operands(struct emit *e, const struct ir_insn *o) {
    if (o->a) push(e, o->a);
    if (o->b) push(e, o->b);
    if (o->c) push(e, o->c);
}

// Pushes the result of a pure operation.
static void pure(struct emit *e, ir_ref r) {
    const struct ir_insn *o = &e->b->ops[r];
    switch (o->op) {
#define WOP(n, code)                                                                               \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        w_op(out(e), code);                                                                        \
        return;
#define WOPFC(n, code)                                                                             \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        w_op(out(e), 0xfc);                                                                        \
        w_u32(out(e), code);                                                                       \
        return;
#define WOPNAN(n, code)                                                                            \
    case IR_##n:                                                                                   \
        operands(e, o);                                                                            \
        w_op(out(e), code);                                                                        \
        canonical_nan(e, (enum ir_type)ir_ops[o->op].result);                                      \
        return;
#include "emit/wasm/wops.def"
    case IR_ANDN64:
        operands(e, o);
        w_i64_const(out(e), -1);
        w_op(out(e), W_I64_XOR);
        w_op(out(e), W_I64_AND);
        return;
    case IR_SEL64:
    case IR_SEL32:
    case IR_SELF64:
        push(e, o->b);
        push(e, o->c);
        push(e, o->a);
        w_op(out(e), W_SELECT);
        return;
    case IR_PCREL:
        cpu_load64(e, e->abi->page);
        w_i64_const(out(e), (i64)o->imm);
        w_op(out(e), W_I64_ADD);
        return;
    default:
        if (!with_locals(e, (enum ir_op)o->op, o->a, o->b)) fallback(e, o);
    }
}

static void push(struct emit *e, ir_ref r) {
    const struct ir_insn *o = &e->b->ops[r];
    switch (e->kind[r]) {
    case V_CONST:
        if (o->op == IR_CONST32)
            w_i32_const(out(e), (i32)o->imm);
        else
            w_i64_const(out(e), (i64)o->imm);
        break;
    case V_CELL:
    case V_LOCAL:
        w_local(out(e), W_LOCAL_GET, e->local[r]);
        break;
    case V_TREE:
        for (unsigned i = 0; i < e->ntrees; i++)
            if (e->trees[i] == r) {
                e->trees[i] = e->trees[--e->ntrees];
                break;
            }
        pure(e, r);
        break;
    default:
        assert(0 && "a value that was never emitted");
    }
    drop_use(e, r);
}

// The value on the stack becomes r's local.
static void keep(struct emit *e, ir_ref r) {
    u32 l = take_local(e, wtype((enum ir_type)ir_ops[e->b->ops[r].op].result));
    w_local(out(e), W_LOCAL_SET, l);
    e->kind[r] = V_LOCAL;
    e->local[r] = (u16)l;
    if (!e->uses[r]) e->busy[l] = 0;
}

static void settle(struct emit *e, ir_ref r) {
    pure(e, r);
    keep(e, r);
}

// Cell local `l` is about to change: emits the trees (any may read it) and saves values that live
// in it.
static void vacate(struct emit *e, u32 l, u32 at) {
    while (e->ntrees) {
        ir_ref r = e->trees[--e->ntrees];
        settle(e, r);
    }
    for (ir_ref r = 1; r < at; r++) {
        if (e->kind[r] != V_CELL || e->local[r] != l || !e->uses[r]) continue;
        w_local(out(e), W_LOCAL_GET, l);
        keep(e, r);
    }
}

// ---- memory

// Leaves in L_PTR the host address for the access at the address on the stack; `info` describes it
// to the slow path, which for a store also does it and gives a scratch address.
static void translate(struct emit *e, u32 table, unsigned bytes, i64 disp) {
    struct buf *o = out(e);
    if (disp) {
        w_i64_const(o, disp);
        w_op(o, W_I64_ADD);
    }
    w_local(o, W_LOCAL_TEE, L_VA);
    w_op(o, W_I32_WRAP_I64);
    w_i32_const(o, 8); // page number times 16, the size of an entry
    w_op(o, W_I32_SHR_U);
    w_i32_const(o, (i32)((e->abi->tlb_slots - 1) << 4));
    w_op(o, W_I32_AND);
    w_local(o, W_LOCAL_GET, L_TLB);
    w_op(o, W_I32_ADD);
    w_local(o, W_LOCAL_TEE, L_ENTRY);
    w_mem(o, W_I32_LOAD, 2, table + 8);
    w_local(o, W_LOCAL_GET, L_VA);
    w_op(o, W_I32_WRAP_I64);
    w_op(o, W_I32_ADD);
    w_local(o, W_LOCAL_SET, L_PTR);
    w_local(o, W_LOCAL_GET, L_ENTRY);
    w_mem(o, W_I64_LOAD, 3, table);
    w_local(o, W_LOCAL_GET, L_VA);
    w_op(o, W_I64_XOR);
    w_i64_const(o, PAGE - (i64)bytes);
    w_op(o, W_I64_GT_U);
    w_op(o, W_IF);
    w_op(o, W_T_VOID);
    e->depth++;
    store_budget(e);
    w_local(o, W_LOCAL_GET, L_STATE);
    w_local(o, W_LOCAL_GET, L_VA);
}

static void translated(struct emit *e) {
    struct buf *o = out(e);
    w_local(o, W_LOCAL_TEE, L_PTR);
    w_op(o, W_I32_EQZ);
    br(e, W_BR_IF, EXIT_FAULT);
    load_budget(e);
    e->depth--;
    w_op(o, W_END);
}

static u32 info_of(struct emit *e, unsigned bytes, bool for_write) {
    return e->meta | bytes << 24 | (for_write ? 1u << 30 : 0);
}

static void emit_load(struct emit *e, u32 i, u8 opcode, unsigned bytes, bool for_write) {
    const struct ir_insn *o = &e->b->ops[i];
    push(e, o->a);
    translate(e, for_write ? e->abi->tlb_w : e->abi->tlb_r, bytes, (i64)o->imm);
    w_i32_const(out(e), (i32)info_of(e, bytes, for_write));
    call_indirect(e, T_SLOW_LOAD, e->abi->slow_load);
    translated(e);
    w_local(out(e), W_LOCAL_GET, L_PTR);
    w_mem(out(e), opcode, 0, 0);
    keep(e, (ir_ref)i);
}

static void emit_store(struct emit *e, u32 i, u8 opcode, unsigned bytes) {
    const struct ir_insn *o = &e->b->ops[i];
    u32 v = take_local(e, W_T_I64);
    push(e, o->b);
    w_local(out(e), W_LOCAL_SET, v);
    push(e, o->a);
    translate(e, e->abi->tlb_w, bytes, (i64)o->imm);
    w_local(out(e), W_LOCAL_GET, v);
    w_i32_const(out(e), (i32)info_of(e, bytes, true));
    call_indirect(e, T_SLOW_STORE, e->abi->slow_store);
    translated(e);
    w_local(out(e), W_LOCAL_GET, L_PTR);
    w_local(out(e), W_LOCAL_GET, v);
    w_mem(out(e), opcode, 0, 0);
    e->busy[v] = 0;
}

// ---- the rest

static void emit_set(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    if (o->imm == e->abi->pc_cell) {
        w_local(out(e), W_LOCAL_GET, L_STATE);
        push(e, o->a);
        w_mem(out(e), W_I64_STORE, 3, e->abi->pc_cell);
        return;
    }
    u32 l = L_CELLS + (u32)cell_index(e, (u32)o->imm);
    push(e, o->a);
    vacate(e, l, i);
    w_local(out(e), W_LOCAL_SET, l);
}

static void emit_get(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    if (o->imm == e->abi->pc_cell) {
        w_local(out(e), W_LOCAL_GET, L_STATE);
        w_mem(out(e), W_I64_LOAD, 3, e->abi->pc_cell);
        keep(e, (ir_ref)i);
        return;
    }
    e->kind[i] = V_CELL;
    e->local[i] = (u16)(L_CELLS + (u32)cell_index(e, (u32)o->imm));
}

static void emit_call(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    u8 eff = e->r->helper_effects[o->aux];
    bool visible = eff & (HELPER_FAULTS | HELPER_PC | HELPER_READS | HELPER_WRITES | HELPER_MODE);
    bool changes = eff & (HELPER_WRITES | HELPER_MODE);
    struct buf *w = out(e);
    if (visible) {
        if (changes)
            for (unsigned k = 0; k < e->ncells; k++) vacate(e, L_CELLS + k, i);
        store_cells(e);
        store_budget(e);
        w_local(w, W_LOCAL_GET, L_STATE);
        w_i32_const(w, (i32)e->meta);
        call_indirect(e, T_PLACE, e->abi->place);
    }
    w_local(w, W_LOCAL_GET, L_STATE);
    const ir_ref args[3] = {o->a, o->b, o->c};
    for (unsigned k = 0; k < 3; k++) {
        if (args[k])
            push(e, args[k]);
        else
            w_i64_const(w, 0);
    }
    w_i64_const(w, (i64)o->imm);
    call_indirect(e, T_HELPER, e->abi->helper(e->abi->arg, o->aux));
    keep(e, (ir_ref)i);
    if (!visible) return;
    // Everything is in memory, so an exception leaves at once.
    w_local(w, W_LOCAL_GET, L_STATE);
    w_mem(w, W_I32_LOAD8_U, 0, e->abi->exc);
    w_op(w, W_IF);
    w_op(w, W_T_VOID);
    w_i32_const(w, REGION_FAULT);
    w_op(w, W_RETURN);
    w_op(w, W_END);
    load_budget(e);
    if (changes) load_cells(e);
}

static void emit_trapif(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    u32 t = take_local(e, W_T_I64);
    push(e, o->b);
    w_local(out(e), W_LOCAL_SET, t);
    push(e, o->a);
    w_op(out(e), W_IF);
    w_op(out(e), W_T_VOID);
    e->depth++;
    store_budget(e);
    w_local(out(e), W_LOCAL_GET, L_STATE);
    w_local(out(e), W_LOCAL_GET, t);
    w_i64_const(out(e), (i64)o->imm);
    w_i32_const(out(e), (i32)e->meta);
    call_indirect(e, T_RAISE, e->abi->raise);
    br(e, W_BR, EXIT_FAULT);
    e->depth--;
    w_op(out(e), W_END);
    e->busy[t] = 0;
}

static void charge(struct emit *e) {
    w_local(out(e), W_LOCAL_GET, L_BUDGET);
    w_i32_const(out(e), (i32)e->b->ninsns);
    w_op(out(e), W_I32_SUB);
    w_local(out(e), W_LOCAL_SET, L_BUDGET);
}

static void emit_op(struct emit *e, u32 i) {
    const struct ir_insn *o = &e->b->ops[i];
    switch (o->op) {
    case IR_CONST32:
    case IR_CONST64:
        e->kind[i] = V_CONST;
        return;
    case IR_GET:
        emit_get(e, i);
        return;
    case IR_SET:
        emit_set(e, i);
        return;
    case IR_INSN:
        e->meta = (u32)o->imm % PAGE | e->insns << META_SHIFT;
        e->insns++;
        return;
    case IR_LDU8:
        emit_load(e, i, W_I64_LOAD8_U, 1, false);
        return;
    case IR_LDS8:
        emit_load(e, i, W_I64_LOAD8_S, 1, false);
        return;
    case IR_LDU16:
        emit_load(e, i, W_I64_LOAD16_U, 2, false);
        return;
    case IR_LDS16:
        emit_load(e, i, W_I64_LOAD16_S, 2, false);
        return;
    case IR_LDU32:
        emit_load(e, i, W_I64_LOAD32_U, 4, false);
        return;
    case IR_LDS32:
        emit_load(e, i, W_I64_LOAD32_S, 4, false);
        return;
    case IR_LD64:
        emit_load(e, i, W_I64_LOAD, 8, false);
        return;
    case IR_LDW8:
        emit_load(e, i, W_I64_LOAD8_U, 1, true);
        return;
    case IR_LDW16:
        emit_load(e, i, W_I64_LOAD16_U, 2, true);
        return;
    case IR_LDW32:
        emit_load(e, i, W_I64_LOAD32_U, 4, true);
        return;
    case IR_LDW64:
        emit_load(e, i, W_I64_LOAD, 8, true);
        return;
    case IR_ST8:
        emit_store(e, i, W_I64_STORE8, 1);
        return;
    case IR_ST16:
        emit_store(e, i, W_I64_STORE16, 2);
        return;
    case IR_ST32:
        emit_store(e, i, W_I64_STORE32, 4);
        return;
    case IR_ST64:
        emit_store(e, i, W_I64_STORE, 8);
        return;
    case IR_TRAPIF:
        emit_trapif(e, i);
        return;
    case IR_CALL:
        emit_call(e, i);
        return;
    case IR_JUMP:
    case IR_BRANCH:
        charge(e);
        return;
    case IR_JUMPIND:
        push(e, o->a);
        w_local(out(e), W_LOCAL_SET, L_PC);
        charge(e);
        br(e, W_BR, EXIT_CHAIN);
        return;
    case IR_LEAVE:
        charge(e);
        br(e, W_BR, EXIT_LEAVE);
        return;
    default:
        break;
    }
    if (ir_ops[o->op].effects || ir_ops[o->op].result == IR_V128 ||
        ir_ops[o->op].result == IR_NONE) {
        e->failed = true; // vectors are not translated yet
        return;
    }
    if (!e->uses[i]) return;
    if (e->uses[i] == 1 && e->ntrees < 256) {
        e->kind[i] = V_TREE;
        e->trees[e->ntrees++] = (ir_ref)i;
    } else {
        settle(e, (ir_ref)i);
    }
}

// ---- structure callbacks

static void on_block(void *arg) {
    struct emit *e = arg;
    w_op(out(e), W_BLOCK);
    w_op(out(e), W_T_VOID);
    e->depth++;
}

static void on_loop(void *arg) {
    struct emit *e = arg;
    w_op(out(e), W_LOOP);
    w_op(out(e), W_T_VOID);
    e->depth++;
}

static void on_end(void *arg) {
    struct emit *e = arg;
    e->depth--;
    w_op(out(e), W_END);
}

static void on_node(void *arg, int node) {
    struct emit *e = arg;
    const struct region_block *b = e->b = &e->r->blocks[node];
    memset(e->kind, V_NONE, b->nops);
    memset(e->uses, 0, b->nops * sizeof e->uses[0]);
    memset(e->busy, 0, sizeof e->busy);
    e->ntrees = 0;
    e->meta = e->insns = 0;
    for (u32 i = 1; i < b->nops; i++) {
        const ir_ref refs[3] = {b->ops[i].a, b->ops[i].b, b->ops[i].c};
        for (u32 k = 0; k < op_arity(&b->ops[i]); k++)
            if (refs[k]) e->uses[refs[k]]++;
    }
    for (u32 i = 1; i < b->nops && !e->failed; i++) emit_op(e, i);
}

static void on_cond(void *arg, int node) {
    struct emit *e = arg;
    const struct region_block *b = &e->r->blocks[node];
    push(e, b->ops[b->nops - 1].a);
    w_op(out(e), W_IF);
    w_op(out(e), W_T_VOID);
    e->depth++;
}

static void on_else(void *arg) {
    struct emit *e = arg;
    w_op(out(e), W_ELSE);
}

static i64 target_of(const struct region_block *b, int way) {
    const struct ir_insn *x = &b->ops[b->nops - 1];
    return way == 0 ? (i64)x->imm : (i64)(i32)x->aux;
}

static void go_out(struct emit *e, i64 rel) {
    cpu_load64(e, e->abi->page);
    w_i64_const(out(e), rel);
    w_op(out(e), W_I64_ADD);
    w_local(out(e), W_LOCAL_SET, L_PC);
    br(e, W_BR, EXIT_CHAIN);
}

static void on_leave(void *arg, int node, int way) {
    struct emit *e = arg;
    go_out(e, target_of(&e->r->blocks[node], way));
}

static void on_branch(void *arg, int node, int to, unsigned depth, bool backward) {
    struct emit *e = arg;
    (void)node; // only where to matters
    if (backward) {
        w_local(out(e), W_LOCAL_GET, L_BUDGET);
        w_i32_const(out(e), 0);
        w_op(out(e), W_I32_LE_S);
        w_op(out(e), W_IF);
        w_op(out(e), W_T_VOID);
        e->depth++;
        go_out(e, e->r->blocks[to].start);
        e->depth--;
        w_op(out(e), W_END);
    }
    w_op(out(e), W_BR);
    w_u32(out(e), depth);
}

// ---- function and module

// End of the chain exit: L_PC is where to go. To another region directly if the jump cache knows
// one.
static void chain(struct emit *e) {
    struct buf *o = out(e);
    const struct region_abi *a = e->abi;
    store_cells(e);
    store_budget(e);
    w_i32_const(o, a->cpu);
    w_mem(o, W_I32_LOAD, 2, a->jumps);
    w_local(o, W_LOCAL_GET, L_PC);
    w_op(o, W_I32_WRAP_I64);
    w_i32_const(o, 3); // (pc >> 1) entries of 16 bytes
    w_op(o, W_I32_SHL);
    w_i32_const(o, (i32)(a->jump_mask << 4));
    w_op(o, W_I32_AND);
    w_op(o, W_I32_ADD);
    w_local(o, W_LOCAL_TEE, L_ENTRY);
    w_mem(o, W_I64_LOAD, 3, 0);
    w_local(o, W_LOCAL_GET, L_PC);
    cpu_load64(e, a->mix);
    w_op(o, W_I64_XOR);
    w_op(o, W_I64_EQ);
    w_local(o, W_LOCAL_GET, L_BUDGET);
    w_i32_const(o, 0);
    w_op(o, 0x4a); // i32.gt_s
    w_op(o, W_I32_AND);
    w_local(o, W_LOCAL_GET, L_ENTRY);
    w_mem(o, W_I32_LOAD, 2, 12);
    w_local(o, W_LOCAL_TEE, L_PTR);
    w_i32_const(o, 0);
    w_op(o, 0x47); // i32.ne
    w_op(o, W_I32_AND);
    w_op(o, W_IF);
    w_op(o, W_T_VOID);
    w_i32_const(o, a->cpu);
    w_local(o, W_LOCAL_GET, L_PC);
    w_i64_const(o, -PAGE);
    w_op(o, W_I64_AND);
    w_mem(o, W_I64_STORE, 3, a->page);
    w_local(o, W_LOCAL_GET, L_STATE);
    w_local(o, W_LOCAL_GET, L_PTR);
    w_op(o, W_RETURN_CALL_INDIRECT);
    w_u32(o, T_REGION);
    w_u32(o, 0);
    w_op(o, W_END);
    w_local(o, W_LOCAL_GET, L_STATE);
    w_local(o, W_LOCAL_GET, L_PC);
    w_mem(o, W_I64_STORE, 3, a->pc_cell);
    w_i32_const(o, REGION_JUMP);
    w_op(o, W_RETURN);
}

static int block_at(const struct region *r, i64 rel) {
    for (unsigned i = 0; i < r->n; i++)
        if (r->blocks[i].start == rel) return (int)i;
    return -1;
}

static void graph(const struct region *r, struct structure_node *nodes) {
    for (unsigned i = 0; i < r->n; i++) {
        const struct region_block *b = &r->blocks[i];
        const struct ir_insn *x = &b->ops[b->nops - 1];
        nodes[i].nsucc = x->op == IR_JUMP ? 1 : x->op == IR_BRANCH ? 2 : 0;
        for (int k = 0; k < nodes[i].nsucc; k++)
            nodes[i].succ[k] = (i8)block_at(r, target_of(b, k));
    }
}

static bool function(struct emit *e) {
    struct structure_node nodes[REGION_BLOCKS];
    graph(e->r, nodes);
    load_cells(e);
    load_budget(e);
    load_tlb(e);
    for (int i = 0; i < 3; i++) {
        w_op(out(e), W_BLOCK);
        w_op(out(e), W_T_VOID);
    }
    const struct structure_ops ops = {e,       on_block, on_loop, on_end,   on_node,
                                      on_cond, on_else,  on_end,  on_leave, on_branch};
    structure_walk(nodes, (int)e->r->n, &ops);
    w_op(out(e), W_UNREACHABLE);
    w_op(out(e), W_END); // EXIT_CHAIN
    chain(e);
    w_op(out(e), W_END); // EXIT_LEAVE
    store_cells(e);
    store_budget(e);
    w_i32_const(out(e), REGION_LEAVE);
    w_op(out(e), W_RETURN);
    w_op(out(e), W_END); // EXIT_FAULT
    store_cells(e);
    w_i32_const(out(e), REGION_FAULT);
    w_op(out(e), W_END);
    return !e->failed && !out(e)->oom;
}

static void types(struct buf *o) {
    static const u8 t[] = {
        7,    0x60, 1,       W_T_I32, 1,       W_T_I32,                            // T_REGION
        0x60, 5,    W_T_I32, W_T_I64, W_T_I64, W_T_I64, W_T_I64, 1,       W_T_I64, // T_HELPER
        0x60, 3,    W_T_I32, W_T_I64, W_T_I32, 1,       W_T_I32,                   // T_SLOW_LOAD
        0x60, 4,    W_T_I32, W_T_I64, W_T_I64, W_T_I32, 1,       W_T_I32,          // T_SLOW_STORE
        0x60, 2,    W_T_I64, W_T_I64, 1,       W_T_I64,                            // T_BINARY
        0x60, 4,    W_T_I32, W_T_I64, W_T_I64, W_T_I32, 0,                         // T_RAISE
        0x60, 2,    W_T_I32, W_T_I32, 0,                                           // T_PLACE
    };
    struct buf b = {0};
    buf_put(&b, t, sizeof t);
    w_section(o, 1, &b);
    buf_free(&b);
}

static void imports(struct buf *o) {
    struct buf b = {0};
    w_u32(&b, 2);
    w_name(&b, "e");
    w_name(&b, "m");
    buf_put(&b, (const u8[]){2, 0, 1}, 3); // memory, at least a page
    w_name(&b, "e");
    w_name(&b, "t");
    buf_put(&b, (const u8[]){1, 0x70, 0, 1}, 4); // table of functions
    w_section(o, 2, &b);
    buf_free(&b);
}

static void body(struct emit *e, struct buf *o) {
    struct buf f = {0}, b = {0};
    w_u32(&f, e->nlocals - 1); // one group each, the parameter is not declared
    for (unsigned i = 1; i < e->nlocals; i++) {
        w_u32(&f, 1);
        w_op(&f, e->types[i]);
    }
    buf_put(&f, e->code.data, e->code.len);
    w_u32(&b, 1);
    w_u32(&b, (u32)f.len);
    buf_put(&b, f.data, f.len);
    w_section(o, 10, &b);
    buf_free(&f);
    buf_free(&b);
}

bool region_emit(const struct region *r, const struct region_abi *abi, struct buf *o) {
    struct emit em;
    memset(&em, 0, sizeof em);
    em.r = r;
    em.abi = abi;
    find_cells(&em);
    static const u8 fixed[L_CELLS] = {W_T_I32, W_T_I32, W_T_I32, W_T_I32,
                                      W_T_I32, W_T_I64, W_T_I64};
    memcpy(em.types, fixed, sizeof fixed);
    memset(em.types + L_CELLS, W_T_I64, em.ncells);
    em.nlocals = em.first_value = L_CELLS + em.ncells;
    bool ok = !em.failed && function(&em);
    if (ok) {
        buf_put(o, "\0asm\1\0\0\0", 8);
        types(o);
        imports(o);
        struct buf b = {0};
        buf_put(&b, (const u8[]){1, T_REGION}, 2);
        w_section(o, 3, &b);
        b.len = 0;
        w_u32(&b, 1);
        w_name(&b, "f");
        buf_put(&b, (const u8[]){0, 0}, 2);
        w_section(o, 7, &b);
        buf_free(&b);
        body(&em, o);
        ok = !o->oom;
    }
    buf_free(&em.code);
    return ok;
}
