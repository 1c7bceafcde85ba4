// Control flow graphs as WebAssembly's structured control flow: blocks, loops and ifs, no dispatch
// variable, after Ramsey, "Beyond Relooper" (2022): a node's code is followed by the nodes it
// dominates; a node with several forward ways in gets a block that ends before it, one with a
// backward way in a loop.
#ifndef BERTH_EMIT_WASM_STRUCTURE_H
#define BERTH_EMIT_WASM_STRUCTURE_H

#include "base/types.h"

enum { STRUCTURE_MAX = 96 };

// Successors of a node: 0, 1 or 2; each a node or -1 for a way out of the graph (the node's code
// deals with it). n2: taken is [0], not taken [1].
struct structure_node {
    i16 nsucc;
    i16 succ[2];
};

// What the walk calls. Depths count enclosing labels from the innermost, as br does, within what
// the walk opened.
struct structure_ops {
    void *arg;
    void (*begin_block)(void *arg);
    void (*begin_loop)(void *arg);
    void (*end)(void *arg);            // of a block or a loop
    void (*node)(void *arg, int node); // its code, without the ways on
    void (*cond)(void *arg, int node); // pushes the condition and opens an if
    void (*otherwise)(void *arg);
    void (*end_cond)(void *arg);
    void (*leave)(void *arg, int node, int way); // way of a node that leads out of the graph
    // Before the code of `to` or a branch to it, on that way alone.
    void (*edge)(void *arg, int node, int to, bool backward);
    void (*branch)(void *arg, int node, int to, unsigned depth);
};

// Walks the graph from node 0. A way back into a loop beside its head is made to leave the graph.
void structure_walk(const struct structure_node *nodes, int n, const struct structure_ops *ops);

#endif
