// Options as JavaScript passes them: NUL-terminated "key=value" records.
//
//   of a VM:      arch=riscv64  memory=BYTES  tag=NAME  cmdline=TEXT  hostname=NAME
//                 engine=interp|jit|eval  no=PASS,...  torture=NAME,...  (exec/switches.def)
//                 volume=rw:/GUEST/PATH | ro:/GUEST/PATH   (repeated)
//   of a process: arg=TEXT (repeated; replaces Cmd)  entrypoint=TEXT  env=NAME=VALUE (repeated)
//                 default_env=NAME=VALUE (repeated; where neither env nor the image has it)
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
    const char *engine, *no, *torture; // NULL: the default
    u64 memory;
    struct web_volume_option volumes[WEB_MAX_VOLUMES];
    unsigned nvolumes;
    // Owned arrays, NULL-terminated; NULL when not given.
    const char **argv, **env, **default_env;
    struct container_process process;
    bool shell; // an interactive shell instead of the image's command
};

// 0, or <0 with `err`; in both cases to be freed.
int web_settings_parse(struct web_settings *s, const char *records, size_t len, struct err *err);
void web_settings_free(struct web_settings *s);

// Settles what depends on the image: default_env, and for `shell` the command: the image's own when
// that is a shell, else the best one that /bin/sh finds. `image` is borrowed as long as `s` lives.
void web_settings_use_image(struct web_settings *s, const struct oci_config *image);

#endif
