// Random programs with control flow: functions that call each other directly and through pointers,
// loops, jump tables, code that patches itself, page crossings, faults with a handler, interrupts,
// changes of mode and mapping, between random instructions from the guest's own table. A shape is a
// list of nodes, so that a shrinker may drop any.
#ifndef BERTH_TEST_LOCKSTEP_RANDOM_H
#define BERTH_TEST_LOCKSTEP_RANDOM_H

#include "program.h"
#include "support/rv_case.h"

enum { SHAPE_FUNCS = 10, SHAPE_NODES = 24 };

struct node {
    u8 kind; // random.c
    u8 arg;
    u16 to;
    struct item item;
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
    unsigned nfuncs;
    struct shape_func func[SHAPE_FUNCS];
};

void shape_random(struct shape *s, u64 seed);
// False: out of memory.
bool shape_build(const struct shape *s, struct program *out);
unsigned shape_nodes(const struct shape *s);
// Without the nodes [at, at + n), counted over all functions.
void shape_drop(struct shape *s, unsigned at, unsigned n);

#endif
