// Options as JavaScript passes them: NUL-terminated "key=value" records.
//
//   of a VM:      arch=riscv64  memory=BYTES  tag=NAME  cmdline=TEXT  hostname=NAME
//                 volume=rw:/GUEST/PATH | ro:/GUEST/PATH   (repeated)
//   of a process: arg=TEXT (repeated; replaces Cmd)  entrypoint=TEXT  env=NAME=VALUE (repeated)
//                 cwd=DIR  user=USER[:GROUP]  tty=1  cols=N  rows=N  shell=1
#ifndef BERTH_HOST_WEB_SETTINGS_H
#define BERTH_HOST_WEB_SETTINGS_H

#include "base/err.h"
#include "base/types.h"
#include "container/container.h"

#define WEB_MAX_VOLUMES 32
#define WEB_MAX_STRINGS 1024 // arguments, and environment variables

struct web_volume_option {
    const char *guest;
    bool readonly;
};

struct web_settings {
    char *text; // owned copy of the records; the strings below point into it
    const char *arch, *tag, *cmdline, *hostname;
    u64 memory;
    struct web_volume_option volumes[WEB_MAX_VOLUMES];
    unsigned nvolumes;
    const char **argv, **env; // owned arrays, NULL-terminated; NULL when not given
    struct container_process process;
    bool shell; // an interactive shell instead of the image's command
};

// 0, or <0 with `err`; in both cases to be freed.
int web_settings_parse(struct web_settings *s, const char *records, size_t len, struct err *err);
void web_settings_free(struct web_settings *s);

// For `shell`: the image's own command when that is a shell, else the best one that /bin/sh finds.
// Points s->process at it; `image` is borrowed as long as `s` lives.
void web_settings_use_shell(struct web_settings *s, const struct oci_config *image);

#endif
