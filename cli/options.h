// Options of `berth run`.
#ifndef BERTH_CLI_OPTIONS_H
#define BERTH_CLI_OPTIONS_H

#include "base/err.h"
#include "base/types.h"
#include "exec/cpu.h"

#define MAX_VOLUME_OPTIONS 16

struct volume_option {
    char *dir, *guest; // owned
    bool readonly;
};

struct run_options {
    u64 memory; // 0: the default
    const char *arch; // of the machine; NULL: the first that the image is for
    struct volume_option volumes[MAX_VOLUME_OPTIONS];
    unsigned nvolumes;
    const char **env; // NULL-terminated, owned array; strings are argv's or environ's
    unsigned nenv;
    const char *workdir, *user, *entrypoint, *hostname, *kernel, *initrd, *append;
    bool interactive, tty; // as given; neither: decided by what stdin and stdout are
    bool stats, verbose, help;
    struct cpu_settings cpu; // engine, dumps, passes, torture
    const char *log_commits; // file, or NULL
    const char *image;
    char **command; // NULL-terminated rest of argv; empty: the image's
};

// <0: `err` says which option is wrong. Always options_free.
int options_parse(struct run_options *o, int argc, char **argv, struct err *err);
void options_free(struct run_options *o);
extern const char options_help[];

// "DIR:GUEST[:ro|:rw]"
int options_parse_volume(struct volume_option *v, const char *text, struct err *err);

#endif
