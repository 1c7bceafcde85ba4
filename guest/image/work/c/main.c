#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tool.h"

struct command {
    const char *name, *arguments;
    int (*run)(int argc, char **argv);
};

static int run_words(int argc, char **argv) {
    FILE *in = stdin;
    if (argc > 0 && !(in = fopen(argv[0], "r"))) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
        return 1;
    }
    words_count(in, stdout, 20);
    return in == stdin ? 0 : fclose(in);
}

static int run_calc(int argc, char **argv) {
    int status = 0;
    for (int i = 0; i < argc; i++) {
        double v;
        enum parse_error e = parse_eval(argv[i], &v);
        if (e == PARSE_OK)
            printf("%s = %.10g\n", argv[i], v);
        else
            status = (int)e;
    }
    return status;
}

static int run_sort(int argc, char **argv) {
    unsigned n = argc > 0 ? (unsigned)strtoul(argv[0], NULL, 0) : 10, state = 12345;
    struct node *list = NULL;
    for (unsigned i = 0; i < n; i++) {
        state = state * 1103515245u + 12345u;
        list = list_push(list, (int)(state >> 16 & 0x7fff));
    }
    list = list_sort(list);
    printf("%zu nodes, first \"%s\"\n", list_length(list), list ? list->name : "");
    list_free(list);
    return 0;
}

static int run_solve(int argc, char **argv) {
    printf("residual below 1e-9: %s\n", matrix_residual(argc > 0 ? (unsigned)atoi(argv[0]) : 8) < 1e-9 ? "yes" : "no");
    return 0;
}

static const struct command commands[] = {
    {"words", "[FILE]", run_words},
    {"calc", "EXPRESSION...", run_calc},
    {"sort", "[COUNT]", run_sort},
    {"solve", "[SIZE]", run_solve},
};

int main(int argc, char **argv) {
    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(argv[1], commands[i].name)) return commands[i].run(argc - 2, argv + 2);
    time_t now = time(NULL);
    char day[32];
    strftime(day, sizeof day, "%A", localtime(&now));
    fprintf(stderr, "%s: process %d on a %s; commands:\n", argv[0], (int)getpid(), day);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) fprintf(stderr, "  %s %s\n", commands[i].name, commands[i].arguments);
    return 2;
}
