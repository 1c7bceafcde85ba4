// Image configurations. Depends on base and json. OCI image-spec v1.1: config.md; Docker's have the
// same members. Absent members become empty strings and lists.
#include <stdlib.h>
#include <string.h>

#include "oci/json.h"
#include "oci/manifest.h"
#include "oci/oci.h"

static const char WHAT[] = "the image configuration";

static int oom(struct err *err) {
    return err_set(err, ERR_NOMEM, "out of memory reading %s", WHAT);
}

static void strings_free(struct oci_strings *s) {
    for (unsigned i = 0; i < s->n; i++) free(s->v[i]);
    free(s->v);
    *s = (struct oci_strings){0};
}

static int strings_reserve(struct oci_strings *s, int n, struct err *err) {
    s->v = calloc((size_t)n + 1, sizeof *s->v);
    return s->v ? 0 : oom(err);
}

static int take_list(const cJSON *obj, const char *key, struct oci_strings *out, struct err *err) {
    const cJSON *list = NULL, *e;
    if (obj && json_array(obj, key, &list, WHAT, err) < 0) return -1;
    if (strings_reserve(out, list ? cJSON_GetArraySize(list) : 0, err) < 0) return -1;
    if (!list) return 0;
    cJSON_ArrayForEach(e, list) {
        if (!cJSON_IsString(e))
            return err_set(err, ERR_CORRUPT, "%s: \"%s\" is not a list of strings", WHAT, key);
        if (!(out->v[out->n] = strdup(e->valuestring))) return oom(err);
        out->n++;
    }
    return 0;
}

// The keys of an object; "key=value" where values are wanted.
static int take_keys(const cJSON *obj, const char *key, bool values, struct oci_strings *out,
                     struct err *err) {
    const cJSON *o = NULL, *e;
    if (obj && json_object(obj, key, &o, WHAT, err) < 0) return -1;
    if (strings_reserve(out, o ? cJSON_GetArraySize(o) : 0, err) < 0) return -1;
    if (!o) return 0;
    cJSON_ArrayForEach(e, o) {
        const char *val = values && cJSON_IsString(e) ? e->valuestring : "";
        size_t nk = strlen(e->string), nv = strlen(val);
        char *s = malloc(nk + nv + 2);
        if (!s) return oom(err);
        memcpy(s, e->string, nk);
        if (values) s[nk++] = '=';
        memcpy(s + nk, val, nv + 1);
        out->v[out->n++] = s;
    }
    return 0;
}

static int take_string(const cJSON *obj, const char *key, char **out, struct err *err) {
    const char *s = NULL;
    if (obj && json_string(obj, key, &s, WHAT, err) < 0) return -1;
    *out = strdup(s ? s : "");
    return *out ? 0 : oom(err);
}

void oci_config_free(struct oci_config *c) {
    if (!c) return;
    free(c->architecture);
    free(c->os);
    free(c->variant);
    free(c->user);
    free(c->working_dir);
    free(c->stop_signal);
    strings_free(&c->entrypoint);
    strings_free(&c->cmd);
    strings_free(&c->env);
    strings_free(&c->shell);
    strings_free(&c->exposed_ports);
    strings_free(&c->volumes);
    strings_free(&c->labels);
    free(c);
}

static int parse(const cJSON *j, struct oci_config *c, struct oci_strings *diff, struct err *err) {
    const cJSON *o, *rootfs;
    if (json_object(j, "config", &o, WHAT, err) < 0 ||
        json_object(j, "rootfs", &rootfs, WHAT, err) < 0 ||
        take_string(j, "architecture", &c->architecture, err) < 0 ||
        take_string(j, "os", &c->os, err) < 0 || take_string(j, "variant", &c->variant, err) < 0 ||
        take_string(o, "User", &c->user, err) < 0 ||
        take_string(o, "WorkingDir", &c->working_dir, err) < 0 ||
        take_string(o, "StopSignal", &c->stop_signal, err) < 0 ||
        take_list(o, "Entrypoint", &c->entrypoint, err) < 0 ||
        take_list(o, "Cmd", &c->cmd, err) < 0 || take_list(o, "Env", &c->env, err) < 0 ||
        take_list(o, "Shell", &c->shell, err) < 0 ||
        take_keys(o, "ExposedPorts", false, &c->exposed_ports, err) < 0 ||
        take_keys(o, "Volumes", false, &c->volumes, err) < 0 ||
        take_keys(o, "Labels", true, &c->labels, err) < 0 ||
        take_list(rootfs, "diff_ids", diff, err) < 0)
        return -1;
    if (!c->architecture[0]) return err_set(err, ERR_CORRUPT, "%s has no \"architecture\"", WHAT);
    return 0;
}

struct oci_config *oci_config_parse(const u8 *p, size_t n, char ***diff_ids, unsigned *ndiff,
                                    struct err *err) {
    cJSON *j = json_parse(p, n, WHAT, err);
    if (!j) return NULL;
    struct oci_config *c = calloc(1, sizeof *c);
    struct oci_strings diff = {0};
    if (!c) oom(err);
    if (c && parse(j, c, &diff, err) < 0) {
        oci_config_free(c);
        strings_free(&diff);
        c = NULL;
    }
    cJSON_Delete(j);
    *diff_ids = diff.v;
    *ndiff = diff.n;
    return c;
}
