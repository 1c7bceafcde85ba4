#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

typedef struct {
    unsigned n;
    double *at;
} square;

#define AT(m, i, k) ((m)->at[(size_t)(i) * (m)->n + (k)])

static square make(unsigned n) {
    square m = {n, calloc((size_t)n * n, sizeof(double))};
    if (!m.at) abort();
    return m;
}

static void swap_rows(square *m, double *v, unsigned a, unsigned b) {
    for (unsigned k = 0; k < m->n; k++) {
        double t = AT(m, a, k);
        AT(m, a, k) = AT(m, b, k);
        AT(m, b, k) = t;
    }
    double t = v[a];
    v[a] = v[b];
    v[b] = t;
}

static int eliminate(square *m, double *v) {
    for (unsigned i = 0; i < m->n; i++) {
        unsigned best = i;
        for (unsigned k = i + 1; k < m->n; k++)
            if (fabs(AT(m, k, i)) > fabs(AT(m, best, i))) best = k;
        if (AT(m, best, i) == 0) return -1;
        if (best != i) swap_rows(m, v, i, best);
        for (unsigned k = i + 1; k < m->n; k++) {
            double f = AT(m, k, i) / AT(m, i, i);
            for (unsigned j = i; j < m->n; j++) AT(m, k, j) -= f * AT(m, i, j);
            v[k] -= f * v[i];
        }
    }
    for (unsigned i = m->n; i-- > 0;) {
        for (unsigned k = i + 1; k < m->n; k++) v[i] -= AT(m, i, k) * v[k];
        v[i] /= AT(m, i, i);
    }
    return 0;
}

double matrix_residual(unsigned n) {
    square a = make(n), b = make(n);
    double *v = calloc(n, sizeof *v), *w = calloc(n, sizeof *w), worst = 0;
    if (!v || !w) abort();
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < n; k++) AT(&a, i, k) = sin(i * 1.7 + k * k) + (i == k) * sqrt(n);
        v[i] = w[i] = 1.0 / (i + 1);
    }
    memcpy(b.at, a.at, (size_t)n * n * sizeof(double));
    if (eliminate(&b, w)) worst = -1;
    for (unsigned i = 0; i < n; i++) {
        double s = -v[i];
        for (unsigned k = 0; k < n; k++) s += AT(&a, i, k) * w[k];
        worst = fmax(worst, fabs(s));
    }
    free(a.at), free(b.at), free(v), free(w);
    return worst;
}
