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
