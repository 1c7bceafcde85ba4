// The intermediate representation: what a guest instruction means, once, for every engine.
// docs/ir.md explains the design. A block is a straight line of SSA operations ending in one exit;
// a region (for compilers) is a set of blocks in which an exit to a member is an edge. State cells
// (get/set) carry values between blocks and to the outside.
//
// Precision rule: sets take effect in order, and an operation that may fault leaves all effects
// before it done and none after it. So a lifter emits an instruction's faulting operations before
// its sets.
#ifndef BERTH_IR_IR_H
#define BERTH_IR_IR_H

#include "base/buf.h"
#include "base/err.h"
#include "base/types.h"

enum ir_type { IR_NONE, IR_I32, IR_I64, IR_F32, IR_F64, IR_V128 };

enum ir_op {
    IR_OP_INVALID,
#define IR_BIN(n, t, ty, e)        IR_##n,
#define IR_CMP(n, t, ty, e)        IR_##n,
#define IR_UN(n, t, r, ty, e)      IR_##n,
#define IR_SHV(n, t, e)            IR_##n,
#define IR_VIMM(n, t, e)           IR_##n,
#define IR_SEL(n, t, ty)           IR_##n,
#define IR_LOAD(n, t, ty, by, e)   IR_##n,
#define IR_STORE(n, t, ty, by)     IR_##n,
#define IR_MISC(n, t, r, ops, eff) IR_##n,
#include "ir/ops.def"
    IR_OP_COUNT
};

// Effects of an operation.
enum {
    IR_FAULTS = 1, // may raise a guest exception
    IR_WRITES = 2, // writes a state cell
    IR_CALLS = 4,  // calls a helper; its effects are in the helper's row
    IR_ENDS = 8,   // ends the block
    IR_MARK = 16,  // not code: marks an instruction
};

enum { IR_SET_FORGETS = 1 }; // aux of SET, ir_forget
enum ir_jump_hint { IR_JUMP_PLAIN, IR_JUMP_CALL, IR_JUMP_RETURN };

// Flags that a guest keeps lazily: cells that say what kind of operation was the last and what its
// result was. When the kind is `difference` under the mask, `bare` in it says that the result
// follows from two other cells. mask 0: the guest has none such.
struct ir_flags {
    u32 kind, result;
    u64 mask, difference, bare;
};

struct ir_op_info {
    const char *text;
    u8 result;      // enum ir_type
    u8 noperands;   // CALL: 0..3, those that are not 0
    u8 operands[3]; // enum ir_type
    u8 effects;
    u8 mem_bytes; // loads and stores
    bool imm;     // IR_VIMM
};
extern const struct ir_op_info ir_ops[IR_OP_COUNT];

typedef u16 ir_ref; // an operation's index in its block; 0 = none

struct ir_insn {
    u16 op;
    ir_ref a, b, c;
    u32 aux;
    u64 imm;
};

enum {
    IR_BLOCK_CAP = 2048,  // operations a block
    IR_BLOCK_ROOM = 256,  // what one guest instruction may need at most
    IR_KNOWN_CELLS = 512, // cells below this index take part in forwarding
    IR_CONSTANT_BITS = 5,
};

// What effects helpers have, by index; from the guest's table (guest.h).
enum {
    HELPER_FAULTS = 1, // may raise a guest exception
    HELPER_PC = 2,     // needs the pc cell and instruction count to be current (implied by FAULTS)
    HELPER_WRITES = 4, // may change any state cell
    HELPER_READS = 8,  // may read any state cell
    HELPER_MODE = 16,  // may change address space, privilege or code: must be followed by leave
    HELPER_PURE = 32,  // does nothing but give its value: need not be called when nobody wants it
};

// Helpers whose result emitted code can often have without a call: floating-point operations on the
// bits of doubles or singles (the lower half; guest_arch says whether they are NaN-boxed), when no
// exception flag changes: inexact is set already, or the result is exact.
// imm: the rounding mode in its low three bits (0 nearest even, 1 toward zero); MADD: bit 3 negates
// the product, bit 4 the addend. Conversions: S32 results are sign-extended.
#define FAST_RANGE 0xfd000000u // guest_arch.inexact_bit
enum ir_fast {
    FAST_NONE,
    FAST_ADD64,
    FAST_SUB64,
    FAST_MUL64,
    FAST_DIV64,
    FAST_SQRT64,
    FAST_MADD64,
    FAST_EQ64,
    FAST_LT64,
    FAST_LE64,
    FAST_F64_S64,
    FAST_F64_U64,
    FAST_S64_F64,
    FAST_S32_F64,
    FAST_ADD32,
    FAST_SUB32,
    FAST_MUL32,
    FAST_DIV32,
    FAST_SQRT32,
    FAST_MADD32,
    FAST_EQ32,
    FAST_LT32,
    FAST_LE32,
    // Nothing to do, and 0, when the operands are ordered.
    FAST_CHECK64,
    FAST_CHECK32,
    FAST_F64_F32,
    FAST_F32_F64,
    FAST_F32_S64,
    FAST_S64_F32,
    FAST_S32_F32,
    // Of helpers that take vectors (IR_VCALL), on each element. imm: MADD: bit 24 negates the
    // product, bit 25 the addend; CMP: bits 16..18 what is compared as x86 does: 0 eq, 1 lt, 2 le,
    // 3 never; 4 to 7 the contrary. MIN, MAX: b when neither is less.
    FAST_VADD64,
    FAST_VSUB64,
    FAST_VMUL64,
    FAST_VDIV64,
    FAST_VSQRT64,
    FAST_VMADD64,
    FAST_VMIN64,
    FAST_VMAX64,
    FAST_VCMP64,
    FAST_VADD32,
    FAST_VSUB32,
    FAST_VMUL32,
    FAST_VDIV32,
    FAST_VSQRT32,
    FAST_VMADD32,
    FAST_VMIN32,
    FAST_VMAX32,
    FAST_VCMP32,
};

// A block under construction. Reused for one block after another (ir_begin); before the first one
// all zero, or known_end IR_KNOWN_CELLS.
struct ir_block {
    const u8 *helper_effects; // of the guest; HELPER_* by helper index
    unsigned nhelpers;
    u32 n;      // operations used, the first is a placeholder for ref 0
    u32 ninsns; // guest instructions marked
    bool ended; // an exit was emitted
    i32 start;  // pcrel of the first instruction
    struct ir_insn ops[IR_BLOCK_CAP];
    // Forwarding of state cells within the block: the value a cell is known to hold, by cell / 8.
    ir_ref known[IR_KNOWN_CELLS];
    u32 known_first, known_end;              // where there may be others than 0
    ir_ref constants[1 << IR_CONSTANT_BITS]; // the last ones made, by a hash of the value
};

void ir_begin(struct ir_block *b, i32 start, const u8 *helper_effects, unsigned nhelpers);

// Appends; folds constants and removes identities. The typed wrappers below are made from the
// table.
ir_ref ir_emit(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y, ir_ref z, u32 aux, u64 imm);
ir_ref ir_constant(struct ir_block *b, enum ir_op op, u64 v); // CONST32, CONST64
// Appends as it is.
ir_ref ir_append(struct ir_block *b, enum ir_op op, ir_ref x, ir_ref y, ir_ref z, u32 aux, u64 imm);

#define IR_BIN(n, t, ty, e)                                                                        \
    static inline ir_ref ir_##n(struct ir_block *b, ir_ref x, ir_ref y) {                          \
        return ir_emit(b, IR_##n, x, y, 0, 0, 0);                                                  \
    }
#define IR_CMP(n, t, ty, e) IR_BIN(n, t, ty, e)
#define IR_SHV(n, t, e)     IR_BIN(n, t, V128, e)
#define IR_UN(n, t, r, ty, e)                                                                      \
    static inline ir_ref ir_##n(struct ir_block *b, ir_ref x) {                                    \
        return ir_emit(b, IR_##n, x, 0, 0, 0, 0);                                                  \
    }
#define IR_VIMM(n, t, e)                                                                           \
    static inline ir_ref ir_##n(struct ir_block *b, ir_ref x, ir_ref y, u64 k) {                   \
        return ir_emit(b, IR_##n, x, y, 0, 0, k);                                                  \
    }
#define IR_SEL(n, t, ty)                                                                           \
    static inline ir_ref ir_##n(struct ir_block *b, ir_ref c, ir_ref x, ir_ref y) {                \
        return ir_emit(b, IR_##n, c, x, y, 0, 0);                                                  \
    }
#define IR_LOAD(n, t, ty, bytes, e)                                                                \
    static inline ir_ref ir_##n(struct ir_block *b, ir_ref addr, i32 disp) {                       \
        return ir_append(b, IR_##n, addr, 0, 0, 0, (u64)(i64)disp);                                \
    }
#define IR_STORE(n, t, ty, bytes)                                                                  \
    static inline void ir_##n(struct ir_block *b, ir_ref addr, i32 disp, ir_ref v) {               \
        ir_append(b, IR_##n, addr, v, 0, 0, (u64)(i64)disp);                                       \
    }
#include "ir/ops.def"

static inline ir_ref ir_const64(struct ir_block *b, u64 v) { return ir_constant(b, IR_CONST64, v); }
static inline ir_ref ir_const32(struct ir_block *b, u32 v) { return ir_constant(b, IR_CONST32, v); }
static inline ir_ref ir_pcrel(struct ir_block *b, i64 rel) {
    return ir_append(b, IR_PCREL, 0, 0, 0, 0, (u64)rel);
}
// op: IR_LDW8 .. IR_LDW64
static inline ir_ref ir_ldw(struct ir_block *b, enum ir_op op, ir_ref addr, i32 disp) {
    return ir_emit(b, op, addr, 0, 0, 0, (u64)(i64)disp);
}
ir_ref ir_get(struct ir_block *b, u32 cell); // cell: byte offset in the state, multiple of 8
void ir_set(struct ir_block *b, u32 cell, ir_ref v); // i64
// What the cell holds matters to nobody from here: a set of 0 that ir_drop_dead takes away.
void ir_forget(struct ir_block *b, u32 cell);
ir_ref ir_getv(struct ir_block *b, u32 cell); // multiple of 16
void ir_setv(struct ir_block *b, u32 cell, ir_ref v);
void ir_insn_start(struct ir_block *b, i32 rel, u32 len);
void ir_trapif(struct ir_block *b, ir_ref cond, u64 cause, ir_ref tval);
ir_ref ir_call(struct ir_block *b, unsigned helper, ir_ref x, ir_ref y, ir_ref z, u64 imm);
// The helper gets the address of an array of three v128 as its first argument, and leaves the
// result in the first. imm: 32 bits.
ir_ref ir_vcall(struct ir_block *b, unsigned helper, ir_ref x, ir_ref y, ir_ref z, u32 imm);
void ir_jump(struct ir_block *b, i64 rel);
// A direct call: returns to the instruction after the one being lifted.
void ir_jump_call(struct ir_block *b, i64 rel);
void ir_branch(struct ir_block *b, ir_ref cond, i64 taken, i64 fallthrough);
void ir_jumpind(struct ir_block *b, ir_ref addr, enum ir_jump_hint hint);
void ir_leave(struct ir_block *b);
// The same for a call of more privileged code, which returns to the instruction after the one being
// lifted, and for its return: only hints, anything may happen.
void ir_leave_as(struct ir_block *b, enum ir_jump_hint hint);

// Removes from a complete block the sets that nothing can see and the values that nothing uses.
// Nothing can be added to it afterwards.
void ir_drop_dead(struct ir_block *b);

// True and the value when `r` is a constant.
bool ir_is_const(const struct ir_block *b, ir_ref r, u64 *v);
static inline enum ir_type ir_type_of(const struct ir_block *b, ir_ref r) {
    return (enum ir_type)ir_ops[b->ops[r].op].result; // of no operation: none
}

// The checker: operand types, SSA order, one exit at the end, cells aligned. <0 and `err` when
// wrong.
int ir_verify(const struct ir_block *b, struct err *err);

// Text form, one operation a line: `%5 = add.i64 %3 %4`, `set 40 %5`, `jump -8`. Both directions.
void ir_print(const struct ir_block *b, struct buf *out);
int ir_parse(struct ir_block *b, const char *text, struct err *err);

#endif
