// Loops over bytes, in C and not the library's: length, compare, search, upper case, words counted
// by a table, numbers read and written, a run-length code there and back.
#include "bench.h"

enum { TEXT = 1 << 16, PASSES = 75 };

static char text[TEXT + 1], copy[TEXT + 1], packed[2 * TEXT + 2];

static long length(const char *s) {
    const char *p = s;
    while (*p) p++;
    return p - s;
}

static int compare(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

static const char *search(const char *s, const char *what) {
    for (; *s; s++) {
        const char *a = s, *b = what;
        while (*b && *a == *b) a++, b++;
        if (!*b) return s;
    }
    return NULL;
}

static void upper(char *to, const char *from) {
    for (; *from; from++) *to++ = *from >= 'a' && *from <= 'z' ? (char)(*from - 32) : *from;
    *to = 0;
}

static uint32_t counts[1024];

static uint64_t words(const char *s) {
    uint64_t n = 0;
    while (*s) {
        uint32_t hash = 5381;
        while (*s && *s != ' ' && *s != '\n') hash = hash * 33 ^ (unsigned char)*s++;
        while (*s == ' ' || *s == '\n') s++;
        n += ++counts[hash % 1024] & 1;
    }
    return n;
}

static uint64_t numbers(const char *s) {
    uint64_t sum = 0;
    while (*s) {
        uint64_t v = 0;
        char digits[24], *d = digits + sizeof digits;
        while (*s && (*s < '0' || *s > '9')) s++;
        while (*s >= '0' && *s <= '9') v = v * 10 + (uint64_t)(*s++ - '0');
        v = v * 7 + 1;
        do *--d = (char)('0' + v % 10), v /= 10;
        while (v);
        sum = sum * 3 + (uint64_t)*d;
    }
    return sum;
}

static long pack(char *to, const char *from) {
    char *begin = to;
    while (*from) {
        char c = *from;
        int run = 1;
        while (run < 100 && from[run] == c) run++;
        *to++ = (char)run;
        *to++ = c;
        from += run;
    }
    *to = 0;
    return to - begin;
}

static void unpack(char *to, const char *from) {
    for (; *from; from += 2)
        for (int i = 0; i < from[0]; i++) *to++ = from[1];
    *to = 0;
}

static void fill(uint64_t seed) {
    static const char *const list[] = {"the",  "container", "runs", "in",  "a",    "tab", "and",
                                       "1234", "aaaaaaaa",  "of",   "800", "code", "\n",  "zz"};
    long n = 0;
    while (n < TEXT - 16) {
        for (const char *w = list[bench_random(&seed) % 14]; *w;) text[n++] = *w++;
        text[n++] = ' ';
    }
    text[n] = 0;
}

static uint64_t work(void) {
    uint64_t sum = 0;
    for (int i = 0; i < 1024; i++) counts[i] = 0;
    for (int pass = 0; pass < PASSES; pass++) {
        fill((uint64_t)pass + 1);
        sum = sum * 31 + (uint64_t)length(text);
        sum += words(text) + numbers(text) + (uint64_t)pack(packed, text);
        unpack(copy, packed);
        sum = sum * 2 + (uint64_t)(compare(copy, text) == 0);
        upper(copy, text);
        sum += (uint64_t)(compare(copy, text) + 256);
        sum += search(text, "container runs in the tab of code") != NULL;
    }
    return sum;
}

int main(int argc, char **argv) {
    return bench_repeat(argc, argv, work, UINT64_C(0xc6a3e82c33bcadfb));
}
