// Inside of the lowering: lower.c and lower_flags.c.
#ifndef BERTH_EXEC_LOWER_H
#define BERTH_EXEC_LOWER_H

#include "exec/uop.h"
#include "guest/guest.h"
#include "ir/live.h"

enum { FLAG_GROUPS = 64 }; // of a block that run as one uop each; what is beyond is set by itself

// Sets of flag cells with nothing between them, as one uop.
struct flag_group {
    u16 last;         // its last set
    u16 code;         // the uop, with both operands in cells
    u32 kind;         // what FLAG_KIND becomes
    ir_ref res, a, b; // the values that are set; 0: that cell is left alone
    ir_ref in[3];     // where they come from: the low bits of these are them
    bool subtracts;   // the uop makes the result itself
};

enum { UOP_NOWHERE = 0xffff, CELLS = 1024 };

// What is known of an operation's value.
struct lower_value {
    u16 loc;        // its cell
    u16 last_use;   // index of the last operation that reads it, 0 = none
    u8 uses;        // saturating
    bool clean : 1; // an i32 value whose cell's upper half is zero
    bool done : 1;  // already lowered together with an earlier operation, or
    bool dead : 1;  // needed by nobody
    u8 in_group;    // of a set of a flag: its group's number + 1 (lower_flags.c)
};

struct lower {
    const struct ir_block *b;
    struct uop *out;
    unsigned n, cap;
    bool failed;
    bool flags; // the guest's are lazy: GUEST_FLAGS
    u32 self;   // arena index of the block, 0 when its exits may not be linked
    u32 at;     // operation being lowered
    struct lower_value v[IR_BLOCK_CAP];
    u16 tmp_until[GUEST_TEMPS]; // last use of what is in it
    u16 vtmp_until[GUEST_VTEMPS];
    u16 order[IR_BLOCK_CAP]; // the operations that make code or name values, the last one first
    unsigned norder;
    u16 head[CELLS]; // values living in a state cell (by cell / 8), chained by next[]
    u16 next[IR_BLOCK_CAP];
    // Flags set together (lower_flags.c): the groups by number, and what the flags' last cell
    // certainly holds.
    struct flag_group groups[FLAG_GROUPS];
    unsigned ngroups;
    u16 flag_ops[IR_BLOCK_CAP]; // sets of flags and helpers that may set them, the last one first
    unsigned nflag_ops;
    bool b_known;
    u64 b_value;
    struct ir_live live;
    u32 meta;
    u32 insns;
    unsigned run;    // uops at the end of what was put that run together (fuse.def)
    struct uop sink; // written in place of uops that do not fit
};

struct uop *lower_put(struct lower *l, enum uop_code code, u16 d, u16 a, u16 b, u64 imm);
u16 lower_operand(struct lower *l, ir_ref r); // the cell that holds it, making constants on the way
void lower_vacate(struct lower *l, u16 cell, u32 at, bool vec); // operation `at` will overwrite it
void lower_home(struct lower *l, ir_ref r, u16 cell);           // value r now lives there
void lower_keep(struct lower *l, ir_ref r, u32 until);          // value r is read by `until`

// Operation i makes no code where it stands.
static inline bool lower_skips(const struct lower *l, u32 i) {
    u16 op = l->b->ops[i].op;
    return l->v[i].dead || op == IR_CONST32 || op == IR_CONST64 || op == IR_PCREL;
}

// Looks for groups of sets, when uses are counted.
void lower_find_flags(struct lower *l);
// The set `i` as part of its group: makes the uop when it is the last.
void lower_flags(struct lower *l, u32 i);
// The cell with the constant v in its low `bits`, if the flags have it; else 0.
u16 lower_flag_const(const struct lower *l, u64 v, unsigned bits);

// The code of uops that run as `head` followed by one that runs as `next`, or none: of fuse.def,
// and of guests with lazy flags.
enum uop_code fuse_plain(enum uop_code head, enum uop_code next);
enum uop_code fuse_flags(enum uop_code head, enum uop_code next);

#endif
