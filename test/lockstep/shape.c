// What all random programs have in common: their lists of nodes.
#include "random.h"

unsigned shape_nodes(const struct shape *s) {
    unsigned n = 0;
    for (unsigned f = 0; f < s->nfuncs; f++) n += s->func[f].n;
    return n;
}

void shape_drop(struct shape *s, unsigned at, unsigned n) {
    for (unsigned f = 0; f < s->nfuncs; f++) {
        struct shape_func *p = &s->func[f];
        unsigned kept = 0, first = at, last = at + n, own = p->n;
        for (unsigned i = 0; i < own; i++)
            if (i < first || i >= last) p->node[kept++] = p->node[i];
        p->n = (u8)kept;
        at = at > own ? at - own : 0;
        n = last > own ? last - own - at : 0;
    }
}

bool shape_find(const struct shape *s, u8 kind, unsigned want, unsigned *f, unsigned *i) {
    unsigned pf = *f, pi = *i;
    for (unsigned tries = 0; tries < 2 * SHAPE_FUNCS * SHAPE_NODES; tries++) {
        if (++pi >= s->func[pf].n) pi = 0, pf = (pf + 1) % s->nfuncs;
        if (pi < s->func[pf].n && s->func[pf].node[pi].kind == kind && want-- == 0) break;
    }
    *f = pf, *i = pi;
    return pi < s->func[pf].n && s->func[pf].node[pi].kind == kind;
}
