// Random user-level RISC-V programs, made from the guest's own instruction table: what the
// differential test runs. A case is an initial state and a list of items; an item is a few
// instructions that belong together (an address and the access through it), so that a shrinker may
// drop any item.
#ifndef BERTH_TEST_DIFF_RV_CASE_H
#define BERTH_TEST_DIFF_RV_CASE_H

#include "guest/riscv64/decode.h"

enum { CASE_ITEMS = 48, ITEM_INSNS = 4, CASE_STATE = 66 };
enum { STATE_F = 32, STATE_FCSR = 64 }; // indices into the state: x0..x31, f0..f31, fcsr

enum patch { PATCH_NONE, PATCH_BRANCH, PATCH_JAL, PATCH_JALR };

struct item {
    u8 n;
    u8 patch; // enum patch: the last instruction jumps over `skip` items
    u8 skip;
    u32 w[ITEM_INSNS]; // a compressed one has its low two bits not both set
};

struct rv_case {
    u64 init[CASE_STATE];
    unsigned nitems;
    struct item items[CASE_ITEMS];
};

struct rng {
    u64 s;
};
u64 rng_next(struct rng *r);
static inline u32 rng_below(struct rng *r, u32 n) { return (u32)((rng_next(r) >> 32) * n >> 32); }

// x31 points to the middle of the case's memory window and is never written by the items.
enum { WINDOW_HALF = 512 };
void case_random(struct rv_case *c, struct rng *r);
// One item by itself, and values for registers.
void item_random(struct item *it, struct rng *r);
void state_random(u64 init[CASE_STATE], struct rng *r);
bool rv_writes_x(u8 format);

// An instruction of `row` with registers and a 12-bit immediate, for prologues and stubs.
u32 enc_r(enum rv_id row, unsigned rd, unsigned rs1, unsigned rs2);
u32 enc_i(enum rv_id row, unsigned rd, unsigned rs1, i32 imm);
u32 enc_s(enum rv_id row, unsigned rs2, unsigned rs1, i32 imm);
u32 enc_b(u32 word, i32 offset); // puts a branch offset into `word`
u32 enc_j(u32 word, i32 offset);
// A compressed jump or branch with this offset; 0 when it cannot reach.
u32 enc_c(u32 word, i32 offset);

#endif
