// Random programs with control flow: functions that call each other directly and through pointers,
// loops, jump tables, code that patches itself, page crossings, faults with a handler, interrupts,
// changes of mode and mapping, between random instructions from the guest's own table. A shape is a
// list of nodes, so that a shrinker may drop any.
#ifndef BERTH_TEST_LOCKSTEP_RANDOM_H
#define BERTH_TEST_LOCKSTEP_RANDOM_H

#include "program.h"
#include "support/rv_case.h"

enum { SHAPE_FUNCS = 10, SHAPE_NODES = 24 };

// One instruction of x86. Its 4-byte displacement, when `disp_at` is not 0, is relative to the
// window; `rip`: in an encoding relative to the next instruction.
struct x86_item {
    u8 len, disp_at;
    bool rip;
    u8 b[15];
};

struct node {
    u8 kind; // random_*.c
    u8 arg;
    u16 to;
    union {
        struct item item;
        struct x86_item x86;
    };
};

struct shape_func {
    u8 n;
    bool leaf; // keeps no return address
    struct node node[SHAPE_NODES];
};

struct shape {
    u64 seed;
    bool paging, user, moved; // moved: code at other addresses than its data
    bool interrupts;
    bool bits32, high, pcid, ist; // x86_64; high: at the top of the address space
    unsigned nfuncs;
    struct shape_func func[SHAPE_FUNCS];
};

struct shape_maker {
    const char *guest;
    void (*random)(struct shape *s, u64 seed);
    bool (*build)(const struct shape *s, struct program *out); // false: out of memory
};
extern const struct shape_maker shape_riscv64, shape_x86_64;

unsigned shape_nodes(const struct shape *s);
// Node number `want` of the kind after node *i of function *f, around, over all functions.
bool shape_find(const struct shape *s, u8 kind, unsigned want, unsigned *f, unsigned *i);
// Without the nodes [at, at + n), counted over all functions.
void shape_drop(struct shape *s, unsigned at, unsigned n);

#endif
