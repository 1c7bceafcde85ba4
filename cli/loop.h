// The event loop between a container's main session and this process's terminal or pipes.
#ifndef BERTH_CLI_LOOP_H
#define BERTH_CLI_LOOP_H

#include "base/err.h"
#include "container/container.h"

struct loop;

struct loop_times {
    u64 run_ns;   // host time in container_run
    u64 ready_ns; // from loop_run's start to init being up
};

struct loop *loop_create(struct err *err);
void loop_destroy(struct loop *l);

// Fills the callbacks of the settings.
void loop_settings(struct loop *l, struct container_settings *s, bool verbose);

// Until the container ends: the exit status of this process. EXIT_BERTH with `err` on failure.
int loop_run(struct loop *l, struct container *c, struct err *err);
const struct loop_times *loop_get_times(const struct loop *l);

#endif
