// Parses the option records of settings.h. Depends on base and on the structs of container.h; no
// imports, so it runs natively in tests too.
#include "host/web/settings.h"

#include <stdlib.h>
#include <string.h>

static int bad(struct err *err, const char *key, const char *value) {
    return err_set(err, ERR_INVALID, "option %s=%.100s is not valid", key, value);
}

static bool parse_u64(const char *s, u64 max, u64 *out) {
    u64 v = 0;
    if (!*s) return false;
    for (; *s; s++) {
        if (*s < '0' || *s > '9' || v > max / 10) return false;
        v = v * 10 + (u64)(*s - '0');
    }
    *out = v;
    return v <= max;
}

static bool parse_unsigned(const char *s, unsigned *out) {
    u64 v;
    if (!parse_u64(s, 65535, &v)) return false;
    *out = (unsigned)v;
    return true;
}

static bool parse_volume(struct web_settings *s, const char *v) {
    if (s->nvolumes == WEB_MAX_VOLUMES) return false;
    bool ro = !strncmp(v, "ro:/", 4);
    if (!ro && strncmp(v, "rw:/", 4) != 0) return false;
    s->volumes[s->nvolumes++] = (struct web_volume_option){v + 3, ro};
    return true;
}

// Appends to a NULL-terminated array that is allocated at its largest size on first use.
static bool add_string(const char ***list, const char *v) {
    if (!*list) *list = calloc(WEB_MAX_STRINGS + 1, sizeof **list);
    if (!*list) return false;
    unsigned n = 0;
    while ((*list)[n]) n++;
    if (n == WEB_MAX_STRINGS) return false;
    (*list)[n] = v;
    return true;
}

static bool set_option(struct web_settings *s, const char *key, const char *v) {
    static const struct {
        const char *key;
        size_t offset;
    } texts[] = {
        {"arch", offsetof(struct web_settings, arch)},
        {"tag", offsetof(struct web_settings, tag)},
        {"cmdline", offsetof(struct web_settings, cmdline)},
        {"hostname", offsetof(struct web_settings, hostname)},
        {"engine", offsetof(struct web_settings, engine)},
        {"no", offsetof(struct web_settings, no)},
        {"torture", offsetof(struct web_settings, torture)},
        {"entrypoint", offsetof(struct web_settings, process.entrypoint)},
        {"cwd", offsetof(struct web_settings, process.workdir)},
        {"user", offsetof(struct web_settings, process.user)},
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!strcmp(key, texts[i].key)) {
            *(const char **)(void *)((char *)s + texts[i].offset) = v;
            return true;
        }
    if (!strcmp(key, "memory")) return parse_u64(v, (u64)4 << 30, &s->memory);
    if (!strcmp(key, "volume")) return parse_volume(s, v);
    if (!strcmp(key, "arg")) return add_string(&s->argv, v);
    if (!strcmp(key, "env")) return strchr(v, '=') && add_string(&s->env, v);
    if (!strcmp(key, "default_env")) return strchr(v, '=') && add_string(&s->default_env, v);
    if (!strcmp(key, "cols")) return parse_unsigned(v, &s->process.cols);
    if (!strcmp(key, "rows")) return parse_unsigned(v, &s->process.rows);
    if (!strcmp(key, "tty")) return s->process.tty = true;
    if (!strcmp(key, "shell")) return s->shell = true;
    return false;
}

int web_settings_parse(struct web_settings *s, const char *records, size_t len, struct err *err) {
    memset(s, 0, sizeof *s);
    s->text = malloc(len + 1);
    if (!s->text) return err_set(err, ERR_NOMEM, "out of memory for the options");
    if (len) memcpy(s->text, records, len);
    s->text[len] = '\0';
    for (char *r = s->text, *next; r < s->text + len; r = next) {
        next = r + strlen(r) + 1;
        char *eq = strchr(r, '=');
        if (!eq) return bad(err, r, "");
        *eq = '\0';
        if (!set_option(s, r, eq + 1)) return bad(err, r, eq + 1);
    }
    s->process.argv = s->argv;
    s->process.env = s->env;
    return 0;
}

void web_settings_free(struct web_settings *s) {
    free(s->text);
    free(s->argv);
    free(s->env);
    free(s->default_env);
    memset(s, 0, sizeof *s);
}

static bool is_shell(const char *command) {
    static const char *const shells[] = {"sh", "bash", "ash", "dash", "zsh", "fish", "ksh"};
    const char *slash = strrchr(command, '/');
    const char *base = slash ? slash + 1 : command;
    for (size_t i = 0; i < ARRAY_LEN(shells); i++)
        if (!strcmp(base, shells[i])) return true;
    return false;
}

static bool has_variable(const char *const *env, const char *setting) {
    size_t name = strcspn(setting, "=") + 1; // with the '='
    for (; env && *env; env++)
        if (!strncmp(*env, setting, name)) return true;
    return false;
}

void web_settings_use_image(struct web_settings *s, const struct oci_config *image) {
    static const char *const any[] = {
        "/bin/sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash; exec sh", NULL};
    for (const char **d = s->default_env; d && *d; d++)
        if (!has_variable(s->env, *d) && !has_variable((const char *const *)image->env.v, *d))
            add_string(&s->env, *d); // without memory: no default
    s->process.env = s->env;
    if (!s->shell) return;
    bool own = !image->entrypoint.n && image->cmd.n == 1 && is_shell(image->cmd.v[0]);
    s->process.entrypoint = "";
    s->process.argv = own ? (const char *const *)image->cmd.v : any;
}
