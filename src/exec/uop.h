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
            i32 target, other; // exits inside a page: bytes from this uop to where it goes, 0 = not
                               // linked (branch: taken, not taken)
        };
    };
};

// The rest, beside those made from ops.def:
//   MOV MOVI MOVPC MOVV   d <- a, imm, page + imm, vector a
//   ADDSH64               d <- a + (b << imm)
//   LD64_U                d <- [a + disp], then a += b (signed)
//   ST64_U                [a + disp] <- b, then a += disp
//   FLAGS64 32 8 (_I)     lazy flags (GUEST_FLAGS): kind = low half of imm, result = low bits of d,
//                         a, b (_I: high half of imm)
//   CMP64 32 8 (_I)       the same with the result a - b, which goes to d, too
//   LOGIC64 32 8          kind, result = low bits of d, b = 0
//   CALL CALL_PC          helper; the next uop holds its number (a) and immediate. _PC: pc and
//   count
//                         are made current before, exceptions looked for after
//   BRNZ                  a != 0
//   JUMP                  to the block it is linked with
//   LINK                  to pcrel imm in this page, not looked up yet (becomes JUMP)
//   FAR                   to pcrel imm through the jump cache
//   JUMPIND               to address a, through the jump cache
//                         (LINK, FAR, JUMPIND: b = enum ir_jump_hint)
//   STALE                 the block was invalidated: look its address up again
//   REGION                the block was translated: low half of imm its function, high half its id
//   a__b, a__b__c         fused (fuse.def): this uop as a, the next as b, ...
enum uop_code {
    UOP_INVALID,
#define UOP(n) UOP_##n,
#include "exec/uops.def"
    UOP_COUNT
};

enum { UOP_META_SHIFT = 12, UOP_MAX_PER_OP = 4 };

// LINK: what it is the way of. disp = pcrel target, meta = arena index of its block.
enum uop_link { LINK_JUMP, LINK_TAKEN, LINK_OTHER };

// Arena index of where a linked JUMP goes.
static inline u32 uop_target(const struct uop *arena, const struct uop *u) {
    return (u32)(u - arena + u->target / (i32)sizeof *u);
}

// Lowers a verified block to at most `cap` uops; returns how many, 0 when it does not fit (too many
// live values or uops: the caller tries a shorter block). `self`: the arena index where it will
// stand, or 0 when its exits may not become links (a block that belongs to no page). `flags`: of a
// guest with lazy flags.
unsigned lower_block(const struct ir_block *b, struct uop *out, unsigned cap, u32 self, bool flags);

#endif
