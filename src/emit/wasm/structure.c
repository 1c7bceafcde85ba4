// Structuring of control flow graphs. Depends on base only. Sizes are small (96 nodes), so the
// dominator computation is the plain iterative one.
#include "emit/wasm/structure.h"

#include <assert.h>
#include <string.h>

struct walk {
    struct structure_node nodes[STRUCTURE_MAX]; // with the ways that make it irreducible cut
    const struct structure_ops *ops;
    int n;
    int order[STRUCTURE_MAX]; // reverse postorder
    int rank[STRUCTURE_MAX];  // of a node in it, -1 unreachable
    int norder;
    int idom[STRUCTURE_MAX];
    // Ways in: those of node v are pred[first_pred[v]] to pred[first_pred[v + 1] - 1].
    int first_pred[STRUCTURE_MAX + 1], pred[2 * STRUCTURE_MAX];
    bool loop[STRUCTURE_MAX], merge[STRUCTURE_MAX];
    int labels[3 * STRUCTURE_MAX]; // enclosing labels: node a br goes to, or -1 (an if)
    unsigned nlabels;
};

static void postorder(struct walk *w, int v, bool *seen) {
    seen[v] = true;
    const struct structure_node *x = &w->nodes[v];
    for (int k = x->nsucc; k-- > 0;) {
        int s = x->succ[k];
        if (s >= 0 && !seen[s]) postorder(w, s, seen);
    }
    w->order[--w->norder] = v;
}

// Of nodes that are reached.
static void predecessors(struct walk *w) {
    int count[STRUCTURE_MAX + 1] = {0};
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < w->norder; i++) {
            const struct structure_node *x = &w->nodes[w->order[i]];
            for (int k = 0; k < x->nsucc; k++) {
                int s = x->succ[k];
                if (s < 0) continue;
                if (pass == 0)
                    count[s + 1]++;
                else
                    w->pred[w->first_pred[s] + count[s]++] = w->order[i];
            }
        }
        if (pass) break;
        for (int v = 0; v < w->n; v++) count[v + 1] += count[v];
        memcpy(w->first_pred, count, sizeof count);
        memset(count, 0, sizeof count);
    }
}

static void number(struct walk *w) {
    bool seen[STRUCTURE_MAX] = {false};
    w->norder = w->n;
    postorder(w, 0, seen);
    int first = w->norder;
    memmove(w->order, w->order + first, (size_t)(w->n - first) * sizeof *w->order);
    w->norder = w->n - first;
    for (int v = 0; v < w->n; v++) w->rank[v] = -1;
    for (int i = 0; i < w->norder; i++) w->rank[w->order[i]] = i;
    predecessors(w);
}

static int common(const struct walk *w, int a, int b) {
    while (a != b) {
        while (w->rank[a] > w->rank[b]) a = w->idom[a];
        while (w->rank[b] > w->rank[a]) b = w->idom[b];
    }
    return a;
}

static void dominators(struct walk *w) {
    for (int v = 0; v < w->n; v++) w->idom[v] = -1;
    w->idom[0] = 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 1; i < w->norder; i++) {
            int v = w->order[i], d = -1;
            for (int k = w->first_pred[v]; k < w->first_pred[v + 1]; k++) {
                int p = w->pred[k];
                if (w->idom[p] >= 0) d = d < 0 ? p : common(w, d, p);
            }
            if (d != w->idom[v]) {
                w->idom[v] = d;
                changed = true;
            }
        }
    }
}

static bool dominates(const struct walk *w, int a, int b) {
    while (w->rank[b] > w->rank[a]) b = w->idom[b];
    return a == b;
}

// Cuts ways that go back to a node which does not dominate them: they leave the graph instead. True
// when there were any (dominance must then be found anew).
static bool cut(struct walk *w) {
    bool any = false;
    for (int i = 0; i < w->norder; i++) {
        struct structure_node *x = &w->nodes[w->order[i]];
        for (int k = 0; k < x->nsucc; k++) {
            int s = x->succ[k];
            if (s < 0 || w->rank[s] > i || dominates(w, s, w->order[i])) continue;
            x->succ[k] = -1;
            any = true;
        }
    }
    return any;
}

// Marks loop heads and merge nodes.
static void classify(struct walk *w) {
    for (int i = 0; i < w->norder; i++) {
        int v = w->order[i], forward = 0;
        // Both ways of one node to the same place count as two.
        for (int k = w->first_pred[v]; k < w->first_pred[v + 1]; k++) {
            if (w->rank[w->pred[k]] >= i)
                w->loop[v] = true;
            else
                forward++;
        }
        w->merge[v] = forward > 1;
    }
}

static void tree(struct walk *w, int v);

static void branch_to(struct walk *w, int from, int to) {
    bool back = w->rank[to] <= w->rank[from];
    w->ops->edge(w->ops->arg, from, to, back);
    if (!back && !w->merge[to]) {
        tree(w, to);
        return;
    }
    for (unsigned d = 0; d < w->nlabels; d++)
        if (w->labels[w->nlabels - 1 - d] == to + (back ? STRUCTURE_MAX : 0)) {
            w->ops->branch(w->ops->arg, from, to, d);
            return;
        }
    assert(0 && "a way to a node whose label is not open");
}

static void way(struct walk *w, int v, int k) {
    int s = w->nodes[v].succ[k];
    if (s < 0)
        w->ops->leave(w->ops->arg, v, k);
    else
        branch_to(w, v, s);
}

// v's code inside the blocks for the merge nodes among its children, last in order outermost.
static void within(struct walk *w, int v, const int *children, int nchildren) {
    const struct structure_ops *o = w->ops;
    if (nchildren) {
        o->begin_block(o->arg);
        w->labels[w->nlabels++] = children[nchildren - 1];
        within(w, v, children, nchildren - 1);
        w->nlabels--;
        o->end(o->arg);
        tree(w, children[nchildren - 1]);
        return;
    }
    o->node(o->arg, v);
    if (w->nodes[v].nsucc == 1) way(w, v, 0);
    if (w->nodes[v].nsucc != 2) return;
    o->cond(o->arg, v);
    w->labels[w->nlabels++] = -1;
    way(w, v, 0);
    o->otherwise(o->arg);
    way(w, v, 1);
    w->nlabels--;
    o->end_cond(o->arg);
}

static void tree(struct walk *w, int v) {
    int children[STRUCTURE_MAX], n = 0;
    for (int i = 0; i < w->norder; i++) {
        int c = w->order[i];
        if (c != v && c != 0 && w->idom[c] == v && w->merge[c]) children[n++] = c;
    }
    const struct structure_ops *o = w->ops;
    if (w->loop[v]) {
        o->begin_loop(o->arg);
        w->labels[w->nlabels++] = v + STRUCTURE_MAX;
    }
    within(w, v, children, n);
    if (w->loop[v]) {
        w->nlabels--;
        o->end(o->arg);
    }
}

void structure_walk(const struct structure_node *nodes, int n, const struct structure_ops *ops) {
    assert(n > 0 && n <= STRUCTURE_MAX);
    struct walk w = {.ops = ops, .n = n};
    memcpy(w.nodes, nodes, (size_t)n * sizeof *nodes);
    do {
        number(&w);
        dominators(&w);
    } while (cut(&w));
    classify(&w);
    tree(&w, 0);
}
