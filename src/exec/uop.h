// The interpreter's pre-decoded operation: what IR is lowered to and the run loop executes.
// Operands are byte offsets of cells in the guest state; an i32 or f32 value lives in a cell's low
// half.
#ifndef BERTH_EXEC_UOP_H
#define BERTH_EXEC_UOP_H

#include "base/types.h"
#include "ir/ir.h"

struct uop {
    u16 code;    // enum uop_code
    u16 d, a, b; // result and operand cells; of an exit, d = guest instructions of the block
    union {
        u64 imm;
        struct {
            i32 disp; // memory: displacement. call: third operand's cell. trapif: the cause
            u32 meta; // what may fault: page offset of its instruction | instructions done before
                      // << 12
        };
        struct {
            u32 target, other; // exits inside a page: index in the arena (branch: taken, not taken)
        };
    };
};

enum uop_code {
    UOP_INVALID,
#define IR_BIN(n, t, ty, e)      UOP_##n, UOP_##n##_I, UOP_##n##_X, UOP_##n##_XI,
#define IR_CMP(n, t, ty, e)      UOP_##n, UOP_##n##_I, UOP_BR_##n,
#define IR_UN(n, t, r, ty, e)    UOP_##n,
#define IR_SHV(n, t, e)          UOP_##n,
#define IR_SEL(n, t, ty)         UOP_##n,
#define IR_LOAD(n, t, ty, by, e) UOP_##n,
#define IR_STORE(n, t, ty, by)   UOP_##n,
#include "ir/ops.def"
    UOP_LDV,
    UOP_STV,
    UOP_LDW8,
    UOP_LDW16,
    UOP_LDW32,
    UOP_LDW64,
    UOP_MOV,   // d <- a
    UOP_MOVI,  // d <- imm
    UOP_MOVPC, // d <- page + imm
    UOP_MOVV,  // vector d <- a
    UOP_TRAPIF,
    UOP_CALL,    // helper; the next uop holds its number (a) and immediate
    UOP_CALL_PC, // as CALL, with pc and count made current and exceptions checked
    UOP_BRNZ,    // a != 0
    UOP_JUMP,    // to an arena index
    UOP_LINK,    // to pcrel imm in this page, not looked up yet; becomes JUMP
    UOP_FAR,     // to pcrel imm, through the jump cache
    UOP_JUMPIND, // to address a, through the jump cache
    UOP_LEAVE,
    UOP_STALE, // the block was invalidated: look its address up again
    UOP_COUNT
};

enum { UOP_META_SHIFT = 12, UOP_MAX_PER_OP = 4 };

// Lowers a verified block to at most `cap` uops; returns how many, 0 when it does not fit (too many
// live values or uops: the caller tries a shorter block). `in_page`: exits to targets in the same
// page may become links.

unsigned lower_block(const struct ir_block *b, struct uop *out, unsigned cap, bool in_page);

#endif
