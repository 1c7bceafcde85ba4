// Input for the rows that process files, the same bytes everywhere.
//   gentext text       3 MB of words in lines
//   gentext numbers    200,000 lines, a number each
#include <string.h>

#include "bench.h"

enum { BYTES = 3000000, LINES = 200000 };

static void text(void) {
    static const char *const syllables[] = {"con", "tai",   "ner", "vir", "tu",  "al",
                                            "ma",  "chine", "lin", "ux",  "ker", "nel",
                                            "run", "ning",  "in",  "tab"};
    uint64_t seed = 11;
    long column = 0;
    for (long n = 0; n < BYTES;) {
        uint64_t r = bench_random(&seed);
        // Short words often, long ones seldom.
        for (unsigned i = 0; i <= (unsigned)(r & r >> 2 & 3); i++) {
            const char *s = syllables[r >> (8 + 6 * i) & (i % 2 ? 15 : 7)];
            fputs(s, stdout);
            n += (long)strlen(s), column += (long)strlen(s);
        }
        putchar(column > 70 ? '\n' : ' ');
        column = column > 70 ? 0 : column + 1;
        n++;
    }
}

static void numbers(void) {
    uint64_t seed = 5;
    for (long i = 0; i < LINES; i++) printf("%" PRIu64 "\n", bench_random(&seed) % 100000000);
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "text") == 0)
        text();
    else if (argc == 2 && strcmp(argv[1], "numbers") == 0)
        numbers();
    else
        return 2;
    return 0;
}
