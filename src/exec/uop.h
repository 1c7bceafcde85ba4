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

// The rest, beside those made from ops.def:
//   MOV MOVI MOVPC MOVV   d <- a, imm, page + imm, vector a
//   CALL CALL_PC          helper; the next uop holds its number (a) and immediate. _PC: pc and
//   count
//                         are made current before, exceptions looked for after
//   BRNZ                  a != 0
//   JUMP LINK FAR         to an arena index; to pcrel imm in this page, not looked up yet (becomes
//   JUMP);
//                         to pcrel imm through the jump cache
//   JUMPIND               to address a, through the jump cache
//   STALE                 the block was invalidated: look its address up again
//   REGION                the block was translated: call function imm
#define UOP_MISC_LIST                                                                              \
    UOP_MISC(LDV)                                                                                  \
    UOP_MISC(STV)                                                                                  \
    UOP_MISC(LDW8)                                                                                 \
    UOP_MISC(LDW16)                                                                                \
    UOP_MISC(LDW32)                                                                                \
    UOP_MISC(LDW64)                                                                                \
    UOP_MISC(MOV)                                                                                  \
    UOP_MISC(MOVI)                                                                                 \
    UOP_MISC(MOVPC) UOP_MISC(MOVV) UOP_MISC(TRAPIF) UOP_MISC(CALL) UOP_MISC(CALL_PC)               \
        UOP_MISC(BRNZ) UOP_MISC(JUMP) UOP_MISC(LINK) UOP_MISC(FAR) UOP_MISC(JUMPIND)               \
            UOP_MISC(LEAVE) UOP_MISC(STALE) UOP_MISC(REGION)

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
#define UOP_MISC(n) UOP_##n,
    UOP_MISC_LIST
#undef UOP_MISC
        UOP_COUNT
};

enum { UOP_META_SHIFT = 12, UOP_MAX_PER_OP = 4 };

// LINK: what it is the way of. disp = pcrel target, meta = arena index of its block.
enum uop_link { LINK_JUMP, LINK_TAKEN, LINK_OTHER };

// Lowers a verified block to at most `cap` uops; returns how many, 0 when it does not fit (too many
// live values or uops: the caller tries a shorter block). `self`: the arena index where it will
// stand, or 0 when its exits may not become links (a block that belongs to no page).
unsigned lower_block(const struct ir_block *b, struct uop *out, unsigned cap, u32 self);

#endif
