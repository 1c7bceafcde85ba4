// --dump and --log-commits: what the engine shows of itself, on stderr and in a file.
#ifndef BERTH_CLI_TRACING_H
#define BERTH_CLI_TRACING_H

#include <stdio.h>

#include "exec/cpu.h"

struct tracing {
    struct cpu_trace trace;
    FILE *commits; // NULL: no log
    const char *path;
};

// Puts the trace into the settings. `path`: file of the commit log, or NULL.
int tracing_start(struct tracing *t, const char *path, struct cpu_settings *set, struct err *err);
int tracing_end(struct tracing *t, struct err *err);

#endif
