// `berth inspect IMAGE`: an image's configuration and layers, without unpacking it.
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "host/posix/oci_source.h"
#include "oci/oci.h"

static const char USAGE[] =
    "Usage: berth inspect [--json] [--arch ARCH] IMAGE\n"
    "\n"
    "Shows the configuration and the layers of an image without unpacking it.\n"
    "IMAGE is oci:DIR[:TAG] (an OCI image layout) or oci-archive:FILE[:TAG] (its tar archive).\n"
    "\n"
    "  --json       as JSON\n"
    "  --arch ARCH  of a multi-architecture image; without it the first is shown\n";

// Image metadata is hostile: control characters must not reach the terminal.
static void put_text(const char *s) {
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == 0x7f)
            printf("\\x%02x", c);
        else
            putchar(c);
    }
}

static void put_line(const char *name, const char *value) {
    if (!value[0]) return;
    printf("%-14s", name);
    put_text(value);
    putchar('\n');
}

static void put_list(const char *name, const struct oci_strings *s) {
    for (unsigned i = 0; i < s->n; i++) put_line(i ? "" : name, s->v[i]);
}

// As a shell would take it: arguments with anything unusual are quoted.
static void put_command(const char *name, const struct oci_strings *s) {
    static const char PLAIN[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:=@%+,";
    if (!s->n) return;
    printf("%-14s", name);
    for (unsigned i = 0; i < s->n; i++) {
        const char *a = s->v[i];
        if (i) putchar(' ');
        if (a[0] && a[strspn(a, PLAIN)] == 0) {
            put_text(a);
            continue;
        }
        putchar('\'');
        for (; *a; a++) {
            if (*a == '\'')
                fputs("'\\''", stdout);
            else
                put_text((char[]){*a, 0});
        }
        putchar('\'');
    }
    putchar('\n');
}

static void put_size(u64 n) {
    if (n >= 10u << 20)
        printf("%llu MiB", (unsigned long long)((n + (1u << 19)) >> 20));
    else if (n >= 10u << 10)
        printf("%llu KiB", (unsigned long long)((n + 512) >> 10));
    else
        printf("%llu bytes", (unsigned long long)n);
}

static void show_text(const struct oci_source *s, const struct oci_pull *p) {
    const struct oci_config *c = oci_pull_config(p);
    unsigned n;
    const struct oci_layer_info *l = oci_pull_layers(p, &n);
    u64 total = 0;
    put_line("image", oci_source_name(s));
    put_line("manifest", oci_pull_manifest_digest(p));
    printf("%-14s", "platform");
    put_text(c->os[0] ? c->os : "linux");
    putchar('/');
    put_text(c->architecture);
    if (c->variant[0]) putchar('/'), put_text(c->variant);
    putchar('\n');
    put_command("entrypoint", &c->entrypoint);
    put_command("cmd", &c->cmd);
    put_command("shell", &c->shell);
    put_line("user", c->user);
    put_line("workdir", c->working_dir);
    put_line("stop signal", c->stop_signal);
    put_list("env", &c->env);
    put_list("ports", &c->exposed_ports);
    put_list("volumes", &c->volumes);
    put_list("labels", &c->labels);
    for (unsigned i = 0; i < n; i++) total += l[i].size;
    printf("%-14s%u, ", "layers", n);
    put_size(total);
    putchar('\n');
    for (unsigned i = 0; i < n; i++) {
        printf("  %s  ", l[i].digest);
        put_size(l[i].size);
        fputs("  ", stdout);
        put_text(l[i].media_type);
        putchar('\n');
    }
}

static void add_list(cJSON *o, const char *key, const struct oci_strings *s) {
    if (s->n)
        cJSON_AddItemToObject(o, key,
                              cJSON_CreateStringArray((const char *const *)s->v, (int)s->n));
}

static void add_text(cJSON *o, const char *key, const char *s) {
    if (s[0]) cJSON_AddStringToObject(o, key, s);
}

static char *to_json(const struct oci_pull *p) {
    const struct oci_config *c = oci_pull_config(p);
    unsigned n;
    const struct oci_layer_info *l = oci_pull_layers(p, &n);
    cJSON *o = cJSON_CreateObject(), *layers = cJSON_CreateArray();
    add_text(o, "manifest", oci_pull_manifest_digest(p));
    add_text(o, "os", c->os);
    add_text(o, "architecture", c->architecture);
    add_text(o, "variant", c->variant);
    add_list(o, "entrypoint", &c->entrypoint);
    add_list(o, "cmd", &c->cmd);
    add_list(o, "shell", &c->shell);
    add_list(o, "env", &c->env);
    add_text(o, "user", c->user);
    add_text(o, "workingDir", c->working_dir);
    add_text(o, "stopSignal", c->stop_signal);
    add_list(o, "exposedPorts", &c->exposed_ports);
    add_list(o, "volumes", &c->volumes);
    add_list(o, "labels", &c->labels);
    cJSON_AddItemToObject(o, "layers", layers);
    for (unsigned i = 0; i < n; i++) {
        cJSON *e = cJSON_CreateObject();
        cJSON_AddStringToObject(e, "digest", l[i].digest);
        cJSON_AddStringToObject(e, "diffId", l[i].diff_id);
        cJSON_AddStringToObject(e, "mediaType", l[i].media_type);
        cJSON_AddNumberToObject(e, "size", (double)l[i].size);
        cJSON_AddItemToArray(layers, e);
    }
    char *text = cJSON_Print(o);
    cJSON_Delete(o);
    return text;
}

static int inspect(const char *ref, const char *arch, bool json, struct err *err) {
    struct oci_source *s = oci_source_open(ref, err);
    if (!s) return -1;
    struct log log = cli_log(false);
    struct oci_pull_settings set = {.arch = arch, .tag = oci_source_tag(s), .log = &log};
    struct oci_pull *p = oci_pull_create(&set, err);
    int r = p ? oci_source_run(s, p, true, NULL, NULL, err) : -1;
    if (r == 0 && json) {
        char *text = to_json(p);
        if (text) puts(text);
        if (!text) r = err_set(err, ERR_NOMEM, "out of memory");
        cJSON_free(text);
    } else if (r == 0) {
        show_text(s, p);
    }
    if (p) oci_pull_destroy(p);
    oci_source_close(s);
    return r;
}

int cli_inspect(int argc, char **argv) {
    const char *ref = NULL, *arch = NULL;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (!strcmp(a, "-h") || !strcmp(a, "--help")) {
            fputs(USAGE, stdout);
            return 0;
        } else if (!strcmp(a, "--json")) {
            json = true;
        } else if (!strcmp(a, "--arch") && i + 1 < argc) {
            arch = argv[++i];
        } else if (!strncmp(a, "--arch=", 7)) {
            arch = a + 7;
        } else if (a[0] == '-' || ref) {
            cli_error("inspect: unexpected argument %s\n%s", a, USAGE);
            return EXIT_USAGE;
        } else {
            ref = a;
        }
    }
    if (!ref) {
        cli_error("inspect: no image given\n%s", USAGE);
        return EXIT_USAGE;
    }
    struct err err = {0};
    if (inspect(ref, arch, json, &err) == 0) return 0;
    cli_error("%s", err.msg);
    return 1;
}
