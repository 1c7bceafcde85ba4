// The engine's dumps as text on stderr and its commit log as a file: a line for every stop of the
// engine with the instruction count, the pc and a hash of the registers. Logs of two engines are
// compared by test/lockstep/compare_logs.py.
#include "tracing.h"

#include <errno.h>
#include <string.h>

static void dump(void *arg, char what, const void *p, size_t n) {
    (void)arg;
    (void)what; // modules ('w') are made only where the translator runs, and that is not here
    fwrite(p, 1, n, stderr);
}

static void commit(void *arg, struct cpu *c) {
    struct tracing *t = arg;
    char line[80];
    size_t n = cpu_commit_line(c, line, sizeof line - 1);
    line[n++] = '\n';
    fwrite(line, 1, n, t->commits);
}

int tracing_start(struct tracing *t, const char *path, struct cpu_settings *set, struct err *err) {
    t->path = path;
    if (path && !(t->commits = fopen(path, "w")))
        return err_set(err, ERR_IO, "cannot write the commit log %s: %s", path, strerror(errno));
    t->trace = (struct cpu_trace){t, dump, path ? commit : NULL};
    set->trace = &t->trace;
    // Every place where the engine may stop, not only where its time is up.
    if (path) set->torture |= TORTURE_EXITS;
    return 0;
}

int tracing_end(struct tracing *t, struct err *err) {
    FILE *f = t->commits;
    t->commits = NULL;
    if (f && (ferror(f) | fclose(f)))
        return err_set(err, ERR_IO, "the commit log %s is incomplete: %s", t->path,
                       strerror(errno));
    return 0;
}
