// Merging image configuration and run options, after Docker's rules (documented for `docker run`:
// ENTRYPOINT, CMD, ENV, USER, WORKDIR overrides):
//  - argv = entrypoint + arguments; arguments given replace Cmd; an entrypoint given clears Cmd;
//  - env starts as PATH, HOSTNAME and, with a terminal, TERM; then come the options' variables and
//  the
//    image's that the options do not name, each replacing an earlier one of the same name in place;
//    a variable without "=" removes the name;
//  - HOME is not set here: it comes from the container's passwd file, which only init can read.
// Depends on base/ and the oci configuration. Strings of an image are hostile but only bytes here.
#include "container/process.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

bool strings_append(struct oci_strings *l, const char *s, size_t len) {
    char **v = realloc(l->v, (l->n + 2) * sizeof *v);
    if (!v) return false;
    l->v = v;
    v[l->n] = malloc(len + 1);
    if (!v[l->n]) return false;
    memcpy(v[l->n], s, len);
    v[l->n++][len] = 0;
    v[l->n] = NULL;
    return true;
}

bool strings_copy(struct oci_strings *to, const struct oci_strings *from) {
    for (unsigned i = 0; i < from->n; i++)
        if (!strings_append(to, from->v[i], strlen(from->v[i]))) return false;
    return true;
}

void strings_free(struct oci_strings *l) {
    for (unsigned i = 0; i < l->n; i++) free(l->v[i]);
    free(l->v);
    *l = (struct oci_strings){0};
}

static size_t key_len(const char *s) { return strcspn(s, "="); }

static unsigned env_find(const struct oci_strings *env, const char *var) {
    size_t k = key_len(var);
    for (unsigned i = 0; i < env->n; i++)
        if (key_len(env->v[i]) == k && memcmp(env->v[i], var, k) == 0) return i;
    return env->n;
}

// Replaces, appends or (no "=") removes.
static bool env_set(struct oci_strings *env, const char *var) {
    unsigned i = env_find(env, var);
    if (!var[key_len(var)]) {
        if (i == env->n) return true;
        free(env->v[i]);
        memmove(env->v + i, env->v + i + 1, (env->n - i) * sizeof *env->v);
        env->n--;
        return true;
    }
    if (i == env->n) return strings_append(env, var, strlen(var));
    char *copy = strdup(var);
    if (!copy) return false;
    free(env->v[i]);
    env->v[i] = copy;
    return true;
}

static bool named_by(const char *const *options, const char *var) {
    size_t k = key_len(var);
    for (; options && *options; options++)
        if (key_len(*options) == k && memcmp(*options, var, k) == 0) return true;
    return false;
}

static bool merge_env(struct process_spec *out, const struct oci_config *image,
                      const struct container_process *p, const char *hostname) {
    struct buf host = {0};
    buf_printf(&host, "HOSTNAME=%s", hostname);
    bool ok = !host.oom && env_set(&out->env, "PATH=" DEFAULT_PATH) &&
              env_set(&out->env, buf_cstr(&host)) && (!p->tty || env_set(&out->env, "TERM=xterm"));
    buf_free(&host);
    for (const char *const *e = p->env; ok && e && *e; e++) ok = env_set(&out->env, *e);
    for (unsigned i = 0; ok && i < image->env.n; i++) {
        const char *var = image->env.v[i];
        // An image can hold a nameless variable; execve would pass it on, getenv never find it.
        if (key_len(var) == 0 || named_by(p->env, var)) continue;
        ok = env_set(&out->env, var);
    }
    return ok;
}

static int merge_argv(struct process_spec *out, const struct oci_config *image,
                      const struct container_process *p, struct err *err) {
    bool ok = true;
    bool given = p->argv && *p->argv;
    if (!p->entrypoint)
        ok = strings_copy(&out->argv, &image->entrypoint);
    else if (*p->entrypoint)
        ok = strings_append(&out->argv, p->entrypoint, strlen(p->entrypoint));
    if (given)
        for (const char *const *a = p->argv; ok && *a; a++)
            ok = strings_append(&out->argv, *a, strlen(*a));
    else if (!p->entrypoint)
        ok = ok && strings_copy(&out->argv, &image->cmd);
    if (!ok) return err_set(err, ERR_NOMEM, "out of memory for the command line");
    if (out->argv.n == 0)
        return err_set(err, ERR_INVALID,
                       "no command specified: the image has no Entrypoint or Cmd%s; give a command",
                       p->entrypoint ? " left once the entrypoint is cleared" : "");
    return 0;
}

char *process_clean_path(const char *path) {
    if (path[0] != '/') return NULL;
    char *out = malloc(strlen(path) + 2);
    if (!out) return NULL;
    size_t n = 0;
    while (*path) {
        path += strspn(path, "/");
        size_t len = strcspn(path, "/");
        if (len == 2 && memcmp(path, "..", 2) == 0) {
            while (n && out[--n] != '/') {
            }
        } else if (len && !(len == 1 && *path == '.')) {
            out[n++] = '/';
            memcpy(out + n, path, len);
            n += len;
        }
        path += len;
    }
    if (n == 0) out[n++] = '/';
    out[n] = 0;
    return out;
}

static int check_options(const struct container_process *p, struct err *err) {
    for (const char *const *e = p->env; e && *e; e++)
        if (key_len(*e) == 0)
            return err_set(err, ERR_INVALID, "invalid environment variable \"%s\": it has no name",
                           *e);
    if (p->user && p->user[0] == ':')
        return err_set(err, ERR_INVALID, "invalid user \"%s\": expected USER or USER:GROUP",
                       p->user);
    return 0;
}

int process_merge(struct process_spec *out, const struct oci_config *image,
                  const struct container_process *p, const char *hostname, struct err *err) {
    *out = (struct process_spec){.tty = p->tty, .cols = p->cols, .rows = p->rows};
    int rc = check_options(p, err);
    if (rc == 0) rc = merge_argv(out, image, p, err);
    if (rc < 0) return rc;
    if (!merge_env(out, image, p, hostname))
        return err_set(err, ERR_NOMEM, "out of memory for the environment");
    const char *dir = p->workdir ? p->workdir : image->working_dir;
    if (!dir || !*dir) dir = "/";
    if (dir[0] != '/')
        return err_set(err, ERR_INVALID,
                       "the working directory \"%s\" is invalid: it needs to be an absolute path",
                       dir);
    out->cwd = process_clean_path(dir);
    const char *user = p->user ? p->user : image->user;
    out->user = strdup(user ? user : "");
    if (!out->cwd || !out->user) return err_set(err, ERR_NOMEM, "out of memory for the process");
    return 0;
}

void process_spec_free(struct process_spec *s) {
    strings_free(&s->argv);
    strings_free(&s->env);
    free(s->cwd);
    free(s->user);
    *s = (struct process_spec){0};
}

static void put_record(struct buf *out, const char *key, const char *val) {
    buf_put_str(out, key);
    buf_put(out, val, strlen(val) + 1);
}

int process_put_spawn(struct buf *out, const struct process_spec *s, struct err *err) {
    size_t start = out->len;
    buf_put_le32(out, s->tty ? CTL_SPAWN_TTY : 0);
    buf_put_le16(out, (u16)(s->cols > 0xffff ? 0xffff : s->cols));
    buf_put_le16(out, (u16)(s->rows > 0xffff ? 0xffff : s->rows));
    for (unsigned i = 0; i < s->argv.n; i++) put_record(out, "arg=", s->argv.v[i]);
    for (unsigned i = 0; i < s->env.n; i++) put_record(out, "env=", s->env.v[i]);
    put_record(out, "cwd=", s->cwd);
    put_record(out, "user=", s->user);
    if (out->oom) return err_set(err, ERR_NOMEM, "out of memory for the process");
    if (out->len - start > CTL_MAX_PAYLOAD)
        return err_set(err, ERR_LIMIT,
                       "command line and environment take %zu bytes, the limit is %u: shorten them",
                       out->len - start, CTL_MAX_PAYLOAD);
    return 0;
}
