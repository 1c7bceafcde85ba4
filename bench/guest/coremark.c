// The mix of work CoreMark stands for, in our own words: searching, reversing and sorting a linked
// list, small integer matrices, a state machine over text, everything folded into a CRC-16. EEMBC's
// own source is in no Debian or npm package. Not comparable with published CoreMark scores;
// comparable between emulators.
#include "bench.h"

enum { ITERATIONS = 8000, NODES = 40, N = 10, TEXT = 256 };

struct node {
    struct node *next;
    int16_t key, index;
};

static struct node pool[NODES];
static int16_t ma[N * N], mb[N * N];
static int32_t mc[N * N];
static char text[TEXT];

static uint16_t crc16(uint16_t crc, uint32_t v) {
    for (int i = 0; i < 32; i++, v >>= 1) {
        uint16_t bit = (uint16_t)((crc ^ v) & 1);
        crc >>= 1;
        if (bit) crc ^= 0xa001;
    }
    return crc;
}

static struct node *make_list(uint32_t seed) {
    struct node *head = NULL;
    for (int i = 0; i < NODES; i++) {
        seed = seed * 1103515245u + 12345u;
        pool[i] = (struct node){head, (int16_t)(seed >> 16 & 0x7fff), (int16_t)i};
        head = &pool[i];
    }
    return head;
}

static struct node *find(struct node *l, int16_t key) {
    while (l && l->key != key) l = l->next;
    return l;
}

static struct node *reverse(struct node *l) {
    struct node *r = NULL;
    while (l) {
        struct node *n = l->next;
        l->next = r;
        r = l;
        l = n;
    }
    return r;
}

typedef int (*compare)(const struct node *, const struct node *);
static int by_key(const struct node *a, const struct node *b) { return a->key - b->key; }
static int by_index(const struct node *a, const struct node *b) { return a->index - b->index; }

// Merge sort, bottom up.
static struct node *sort(struct node *list, compare cmp) {
    for (int width = 1;; width *= 2) {
        struct node *p = list, *tail = NULL;
        int merges = 0;
        list = NULL;
        while (p) {
            struct node *q = p;
            int np = 0, nq = width;
            merges++;
            while (q && np < width) q = q->next, np++;
            while (np > 0 || (nq > 0 && q)) {
                struct node *e;
                if (np == 0 || (nq > 0 && q && cmp(p, q) > 0))
                    e = q, q = q->next, nq--;
                else
                    e = p, p = p->next, np--;
                if (tail)
                    tail->next = e;
                else
                    list = e;
                tail = e;
            }
            p = q;
        }
        if (tail) tail->next = NULL;
        if (merges <= 1) return list;
    }
}

static uint16_t lists(uint32_t seed, uint16_t crc) {
    struct node *l = make_list(seed);
    for (int i = 0; i < 10; i++) {
        struct node *f = find(l, pool[(seed + (uint32_t)i * 7) % NODES].key);
        crc = crc16(crc, f ? (uint32_t)f->index : 0xffffu);
        l = reverse(l);
    }
    l = sort(l, by_key);
    for (struct node *n = l; n; n = n->next) crc = crc16(crc, (uint16_t)n->key);
    l = sort(l, by_index);
    return crc16(crc, (uint32_t)l->key);
}

static uint16_t matrices(uint32_t seed, uint16_t crc) {
    for (int i = 0; i < N * N; i++) {
        seed = seed * 69069u + 1;
        ma[i] = (int16_t)(seed >> 20);
        mb[i] = (int16_t)(seed >> 12 & 0xff);
    }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            int32_t sum = 0;
            for (int k = 0; k < N; k++) sum += ma[i * N + k] * mb[k * N + j];
            mc[i * N + j] = sum;
        }
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            int32_t sum = 0;
            for (int k = 0; k < N; k++) {
                int32_t v = ma[i * N + k] * mb[k * N + j];
                sum += (v >> 2 & 0xf) * (v >> 5 & 0x7f);
            }
            mc[i * N + j] += sum;
        }
    int32_t total = 0;
    for (int i = 0; i < N * N; i++) total += mc[i] > total ? 10 : mc[i] & 7;
    return crc16(crc, (uint32_t)total);
}

enum state { START, INT, FLOAT, EXPONENT, SCIENTIFIC, INVALID, STATES };

static enum state scan(const char **p, unsigned counts[STATES]) {
    enum state s = START;
    for (; **p && **p != ','; (*p)++) {
        char c = **p;
        int digit = c >= '0' && c <= '9';
        counts[s]++;
        switch (s) {
        case START:
            s = digit || c == '+' || c == '-' ? INT : c == '.' ? FLOAT : INVALID;
            break;
        case INT:
            s = digit ? INT : c == '.' ? FLOAT : INVALID;
            break;
        case FLOAT:
            s = digit ? FLOAT : c == 'e' || c == 'E' ? EXPONENT : INVALID;
            break;
        case EXPONENT:
            s = digit || c == '+' || c == '-' ? SCIENTIFIC : INVALID;
            break;
        case SCIENTIFIC:
            s = digit ? SCIENTIFIC : INVALID;
            break;
        default:
            break;
        }
    }
    if (**p) (*p)++;
    return s;
}

static uint16_t states(uint32_t seed, uint16_t crc) {
    static const char *const words[] = {"5012",     "1234",     "-874",     "+122",     "35.54400",
                                        ".1234500", "-110.700", "+0.64400", "5.500e+3", "-.123e-2",
                                        "T0.3e-1F", "1T3.4e4z", "//0/*x"};
    unsigned n = 0, counts[STATES] = {0};
    for (uint32_t i = seed; n + 12 < TEXT; i = i * 5 + 3) {
        const char *w = words[i % (sizeof words / sizeof *words)];
        while (*w) text[n++] = *w++;
        text[n++] = ',';
    }
    text[n] = 0;
    for (unsigned pass = 0; pass < 2; pass++) {
        for (const char *p = text; *p;) counts[scan(&p, counts)]++;
        for (unsigned i = 0; i < n; i += 7)
            if (text[i] != ',') text[i] ^= 1;
    }
    for (int i = 0; i < STATES; i++) crc = crc16(crc, counts[i]);
    return crc;
}

static uint64_t work(void) {
    uint16_t crc = 0;
    for (unsigned i = 0; i < ITERATIONS; i++) {
        crc = lists(i, crc);
        crc = matrices(i + crc, crc);
        crc = states(i, crc);
    }
    return crc;
}

int main(int argc, char **argv) { return bench_repeat(argc, argv, work, 0x25c7); }
