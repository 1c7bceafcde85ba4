// Parses the options of `berth run` as docker run takes them: "--name value", "--name=value", "-x
// value",
// "-xvalue", bundled flags ("-it"), and nothing after IMAGE is an option. One table row an option.
#include "options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum option_id {
    OPT_MEMORY,
    OPT_VOLUME,
    OPT_ENV,
    OPT_WORKDIR,
    OPT_USER,
    OPT_ENTRYPOINT,
    OPT_HOSTNAME,
    OPT_INTERACTIVE,
    OPT_TTY,
    OPT_RM,
    OPT_KERNEL,
    OPT_INITRD,
    OPT_APPEND,
    OPT_ENGINE,
    OPT_DUMP,
    OPT_NO,
    OPT_TORTURE,
    OPT_LOG_COMMITS,
    OPT_STATS,
    OPT_PLATFORM,
    OPT_VERBOSE,
    OPT_HELP,
};

static const struct option {
    const char *name;
    char letter; // 0: none
    bool value;
    enum option_id id;
} table[] = {
    {"memory", 'm', true, OPT_MEMORY},     {"volume", 'v', true, OPT_VOLUME},
    {"env", 'e', true, OPT_ENV},           {"workdir", 'w', true, OPT_WORKDIR},
    {"user", 'u', true, OPT_USER},         {"entrypoint", 0, true, OPT_ENTRYPOINT},
    {"hostname", 'h', true, OPT_HOSTNAME}, {"interactive", 'i', false, OPT_INTERACTIVE},
    {"tty", 't', false, OPT_TTY},          {"rm", 0, false, OPT_RM},
    {"kernel", 0, true, OPT_KERNEL},       {"initrd", 0, true, OPT_INITRD},
    {"append", 0, true, OPT_APPEND},       {"engine", 0, true, OPT_ENGINE},
    {"dump", 0, true, OPT_DUMP},           {"no", 0, true, OPT_NO},
    {"torture", 0, true, OPT_TORTURE},     {"log-commits", 0, true, OPT_LOG_COMMITS},
    {"stats", 0, false, OPT_STATS},        {"verbose", 0, false, OPT_VERBOSE},
    {"platform", 0, true, OPT_PLATFORM},   {"help", 0, false, OPT_HELP},
};

const char options_help[] =
    "Usage: berth run [OPTIONS] IMAGE [COMMAND [ARG...]]\n\n"
    "Runs a command in a new container. IMAGE is oci:DIR[:TAG] (an OCI image layout) or\n"
    "oci-archive:FILE[:TAG] (a tar of one). With a terminal on stdin and stdout the command gets\n"
    "a terminal too; otherwise stdin, stdout and stderr are passed through. The exit status is\n"
    "the command's; 125 when berth itself failed, 126 or 127 when the command could not start.\n\n"
    "Options:\n"
    "  -e, --env NAME=VALUE       set a variable; NAME alone takes the value from here\n"
    "      --entrypoint COMMAND   instead of the image's; \"\" clears it\n"
    "  -h, --hostname NAME        host name of the container (berth)\n"
    "  -i, --interactive          pass stdin through; without -t: no terminal\n"
    "  -m, --memory SIZE          memory of the virtual machine (512M)\n"
    "      --platform linux/ARCH  amd64 or riscv64, of an image that is for both\n"
    "      --rm                   accepted; nothing of a container is kept anyway\n"
    "  -t, --tty                  give the command a terminal\n"
    "  -u, --user USER[:GROUP]    user, by name or number\n"
    "  -v, --volume DIR:PATH[:ro] directory DIR of this machine at PATH in the container\n"
    "  -w, --workdir DIR          working directory of the command\n"
    "      --kernel FILE, --initrd FILE, --append STRING\n"
    "                             the guest's kernel, initramfs, more kernel command line\n"
    "      --engine interp|eval   how guest code is executed\n"
    "      --dump, --no, --torture, --log-commits\n"
    "                             to look into the engine: see berth machine --help\n"
    "      --stats                print statistics at the end\n"
    "      --verbose              print the kernel's messages and what happens, on stderr\n";

static int add_env(struct run_options *o, const char *var, struct err *err) {
    const char **v = realloc(o->env, (o->nenv + 2) * sizeof *v);
    if (!v) return err_set(err, ERR_NOMEM, "out of memory");
    o->env = v;
    // A bare NAME takes this process's value. environ's string is "NAME=VALUE" as wanted.
    if (*var && !strchr(var, '=')) {
        const char *val = getenv(var);
        if (val) var = val - strlen(var) - 1;
    }
    v[o->nenv++] = var;
    v[o->nenv] = NULL;
    return 0;
}

int options_parse_volume(struct volume_option *v, const char *text, struct err *err) {
    const char *colon = strstr(text, ":/");
    if (!colon || colon == text)
        return err_set(
            err, ERR_INVALID,
            "invalid volume \"%s\": expected DIR:PATH[:ro], PATH absolute in the container", text);
    const char *guest = colon + 1;
    size_t len = strlen(guest);
    *v = (struct volume_option){0};
    if (len > 3 && (strcmp(guest + len - 3, ":ro") == 0 || strcmp(guest + len - 3, ":rw") == 0)) {
        v->readonly = guest[len - 1] == 'o';
        len -= 3;
    } else if (strchr(guest, ':')) {
        return err_set(err, ERR_INVALID, "invalid volume \"%s\": the mode is \"ro\" or \"rw\"",
                       text);
    }
    v->dir = strndup(text, (size_t)(colon - text));
    v->guest = strndup(guest, len);
    return v->dir && v->guest ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int add_volume(struct run_options *o, const char *text, struct err *err) {
    if (o->nvolumes == MAX_VOLUME_OPTIONS)
        return err_set(err, ERR_LIMIT, "too many volumes: at most %d are possible",
                       MAX_VOLUME_OPTIONS);
    return options_parse_volume(&o->volumes[o->nvolumes++], text, err);
}

static int check_hostname(const char *name, struct err *err) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    if (n == 0 || name[n] || n > 63)
        return err_set(err, ERR_INVALID,
                       "invalid hostname \"%s\": 1 to 63 letters, digits, '-' and '.'", name);
    return 0;
}

static int set_platform(struct run_options *o, const char *val, struct err *err) {
    static const char *const names[][2] = {
        {"riscv64", "riscv64"}, {"amd64", "x86_64"}, {"x86_64", "x86_64"}};
    const char *arch = strncmp(val, "linux/", 6) == 0 ? val + 6 : val;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strcmp(arch, names[i][0]) == 0) o->arch = names[i][1];
    if (!o->arch)
        return err_set(err, ERR_INVALID,
                       "there is no machine for platform \"%s\": choose linux/amd64 or linux/riscv64",
                       val);
    return 0;
}

static int apply(struct run_options *o, enum option_id id, const char *val, struct err *err) {
    switch (id) {
    case OPT_MEMORY:
        if (cli_parse_size(val, &o->memory) < 0 || o->memory == 0)
            return err_set(err, ERR_INVALID, "invalid memory size \"%s\": expected e.g. 512M or 1G",
                           val);
        return 0;
    case OPT_VOLUME:
        return add_volume(o, val, err);
    case OPT_ENV:
        return add_env(o, val, err);
    case OPT_WORKDIR:
        o->workdir = val;
        return 0;
    case OPT_USER:
        o->user = val;
        return 0;
    case OPT_ENTRYPOINT:
        o->entrypoint = val;
        return 0;
    case OPT_HOSTNAME:
        o->hostname = val;
        return check_hostname(val, err);
    case OPT_INTERACTIVE:
        o->interactive = true;
        return 0;
    case OPT_TTY:
        o->tty = true;
        return 0;
    case OPT_RM:
        return 0;
    case OPT_KERNEL:
        o->kernel = val;
        return 0;
    case OPT_INITRD:
        o->initrd = val;
        return 0;
    case OPT_APPEND:
        o->append = val;
        return 0;
    case OPT_ENGINE:
        return cpu_set_switch(&o->cpu, "engine", val, err);
    case OPT_DUMP:
        return cpu_set_switch(&o->cpu, "dump", val, err);
    case OPT_NO:
        return cpu_set_switch(&o->cpu, "no", val, err);
    case OPT_TORTURE:
        return cpu_set_switch(&o->cpu, "torture", val, err);
    case OPT_LOG_COMMITS:
        o->log_commits = val;
        return 0;
    case OPT_STATS:
        o->stats = true;
        return 0;
    case OPT_PLATFORM:
        return set_platform(o, val, err);
    case OPT_VERBOSE:
        o->verbose = true;
        return 0;
    case OPT_HELP:
        o->help = true;
        return 0;
    }
    return 0;
}

static const struct option *find(const char *name, size_t len, char letter) {
    for (size_t i = 0; i < ARRAY_LEN(table); i++) {
        if (letter ? table[i].letter == letter
                   : strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return &table[i];
    }
    return NULL;
}

static int unknown(const char *arg, struct err *err) {
    return err_set(err, ERR_INVALID, "unknown option \"%s\"; see \"berth run --help\"", arg);
}

static int need_value(const char *arg, struct err *err) {
    return err_set(err, ERR_INVALID, "option \"%s\" needs a value", arg);
}

static int parse_long(struct run_options *o, char **argv, int *i, struct err *err) {
    const char *name = argv[*i] + 2;
    size_t len = strcspn(name, "=");
    const struct option *opt = find(name, len, 0);
    if (!opt) return unknown(argv[*i], err);
    if (opt->value) {
        const char *val = name[len] ? name + len + 1 : argv[++*i];
        return val ? apply(o, opt->id, val, err) : need_value(argv[*i - 1], err);
    }
    if (name[len] == 0 || strcmp(name + len, "=true") == 0) return apply(o, opt->id, NULL, err);
    if (strcmp(name + len, "=false") == 0) return 0;
    return err_set(err, ERR_INVALID, "option \"--%s\" takes no value", opt->name);
}

static int parse_short(struct run_options *o, char **argv, int *i, struct err *err) {
    for (const char *p = argv[*i] + 1; *p; p++) {
        const struct option *opt = find(NULL, 0, *p);
        if (!opt) return unknown(argv[*i], err);
        if (!opt->value) {
            int rc = apply(o, opt->id, NULL, err);
            if (rc < 0) return rc;
            continue;
        }
        const char *val = p[1] == '=' ? p + 2 : p[1] ? p + 1 : argv[++*i];
        return val ? apply(o, opt->id, val, err) : need_value(argv[*i - 1], err);
    }
    return 0;
}

int options_parse(struct run_options *o, int argc, char **argv, struct err *err) {
    *o = (struct run_options){.cpu = {.engine = ENGINE_INTERP}};
    int i = 1;
    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        int rc = argv[i][1] == '-' ? parse_long(o, argv, &i, err) : parse_short(o, argv, &i, err);
        if (rc < 0 || o->help) return rc;
    }
    if (i >= argc) return err_set(err, ERR_INVALID, "no image given; see \"berth run --help\"");
    o->image = argv[i];
    o->command = argv + i + 1;
    return 0;
}

void options_free(struct run_options *o) {
    for (unsigned i = 0; i < o->nvolumes; i++) {
        free(o->volumes[i].dir);
        free(o->volumes[i].guest);
    }
    free(o->env);
}
