#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tool.h"

enum { BUCKETS = 1024 };

typedef struct entry {
    struct entry *next;
    unsigned count;
    char word[];
} entry;

static uint32_t hash(const char *s) {
    uint32_t h = 2166136261u;
    while (*s) h = (h ^ (unsigned char)*s++) * 16777619u;
    return h;
}

static entry *lookup(entry **table, const char *word) {
    entry **at = &table[hash(word) % BUCKETS];
    for (entry *e = *at; e; e = e->next)
        if (!strcmp(e->word, word)) return e;
    entry *e = calloc(1, sizeof *e + strlen(word) + 1);
    if (!e) abort();
    strcpy(e->word, word);
    e->next = *at;
    return *at = e;
}

static int by_count(const void *a, const void *b) {
    const entry *x = *(entry *const *)a, *y = *(entry *const *)b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return strcmp(x->word, y->word);
}

static bool next_word(FILE *in, char *word, size_t size) {
    size_t n = 0;
    int c;
    while ((c = getc(in)) != EOF) {
        if (isalnum(c) || c == '_') {
            if (n + 1 < size) word[n++] = (char)tolower(c);
        } else if (n) {
            break;
        }
    }
    word[n] = '\0';
    return n > 0;
}

void words_count(FILE *in, FILE *out, unsigned most) {
    static entry *table[BUCKETS];
    char word[64];
    unsigned n = 0;
    while (next_word(in, word, sizeof word)) n += lookup(table, word)->count++ == 0;
    entry **all = malloc((n + 1) * sizeof *all);
    if (!all) abort();
    unsigned k = 0;
    for (unsigned i = 0; i < BUCKETS; i++)
        for (entry *e = table[i]; e; e = e->next) all[k++] = e;
    qsort(all, n, sizeof *all, by_count);
    for (unsigned i = 0; i < n && i < most; i++) fprintf(out, "%6u  %-20s\n", all[i]->count, all[i]->word);
    for (unsigned i = 0; i < n; i++) free(all[i]);
    free(all);
}
