// What a container's process is started with: the image's configuration and the user's options put
// together as container engines do.
#ifndef BERTH_CONTAINER_PROCESS_H
#define BERTH_CONTAINER_PROCESS_H

#include "base/buf.h"
#include "base/err.h"
#include "berth/ctl.h"
#include "container/container.h"
#include "oci/oci.h"

struct process_spec {
    struct oci_strings argv, env;
    char *cwd, *user; // owned; user "" means root
    bool tty;
    unsigned cols, rows;
};

// Fills `out` (also partly on error: always process_spec_free). `hostname` goes into HOSTNAME.
int process_merge(struct process_spec *out, const struct oci_config *image,
                  const struct container_process *p, const char *hostname, struct err *err);
void process_spec_free(struct process_spec *s);

// Appends the payload of CTL_SPAWN; fails when it does not fit a frame.
int process_put_spawn(struct buf *out, const struct process_spec *s, struct err *err);

// "/a/./b//c/" -> "/a/b/c", ".." resolved without leaving "/". NULL when not absolute or out of
// memory.
char *process_clean_path(const char *path);

bool strings_append(struct oci_strings *l, const char *s, size_t len);
bool strings_copy(struct oci_strings *to, const struct oci_strings *from);
void strings_free(struct oci_strings *l);

#endif
