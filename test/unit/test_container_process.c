// Merging an image's configuration with run options; expectations are docker run's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "container/process.h"

#define STD_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Lists are written with '|' between the items; NULL: none given.
struct merge_case {
    const char *name;
    const char *entrypoint, *cmd, *env, *user, *dir; // image
    const char *o_argv, *o_entrypoint, *o_env, *o_user, *o_dir;
    bool tty;
    const char *argv, *envs, *out_user, *out_dir; // result; argv NULL: `error` is in the message
    const char *error;
};

static const struct merge_case cases[] = {
    {.name = "image alone",
     .entrypoint = "/bin/tini|--",
     .cmd = "sh|-l",
     .argv = "/bin/tini|--|sh|-l",
     .envs = STD_PATH "|HOSTNAME=box",
     .out_user = "",
     .out_dir = "/"},
    {.name = "command replaces Cmd",
     .entrypoint = "/e",
     .cmd = "a|b",
     .o_argv = "c",
     .argv = "/e|c"},
    {.name = "no entrypoint", .cmd = "bash", .argv = "bash"},
    {.name = "command, no entrypoint", .cmd = "bash", .o_argv = "ls|-l", .argv = "ls|-l"},
    {.name = "entrypoint clears Cmd",
     .entrypoint = "/e",
     .cmd = "a",
     .o_entrypoint = "/x",
     .argv = "/x"},
    {.name = "entrypoint and command",
     .entrypoint = "/e|z",
     .cmd = "a",
     .o_entrypoint = "/x",
     .o_argv = "1|2",
     .argv = "/x|1|2"},
    {.name = "empty entrypoint, command",
     .entrypoint = "/e",
     .cmd = "a",
     .o_entrypoint = "",
     .o_argv = "b",
     .argv = "b"},
    {.name = "empty entrypoint clears both",
     .entrypoint = "/e",
     .cmd = "a",
     .o_entrypoint = "",
     .error = "no command specified"},
    {.name = "nothing to run", .error = "no command specified"},
    {.name = "empty arguments stay", .cmd = "x", .o_argv = "echo||a", .argv = "echo||a"},
    {.name = "image env",
     .cmd = "x",
     .env = "A=1|PATH=/p|B=2",
     .argv = "x",
     .envs = "PATH=/p|HOSTNAME=box|A=1|B=2"},
    {.name = "tty sets TERM",
     .cmd = "x",
     .env = "A=1",
     .tty = true,
     .argv = "x",
     .envs = STD_PATH "|HOSTNAME=box|TERM=xterm|A=1"},
    {.name = "TERM of the image",
     .cmd = "x",
     .env = "TERM=vt100",
     .tty = true,
     .argv = "x",
     .envs = STD_PATH "|HOSTNAME=box|TERM=vt100"},
    {.name = "options before and over the image's",
     .cmd = "x",
     .env = "A=1|B=2|C=3",
     .o_env = "D=4|B=x=y",
     .argv = "x",
     .envs = STD_PATH "|HOSTNAME=box|D=4|B=x=y|A=1|C=3"},
    {.name = "the last of the same name",
     .cmd = "x",
     .o_env = "A=1|A=2",
     .argv = "x",
     .envs = STD_PATH "|HOSTNAME=box|A=2"},
    {.name = "a name alone removes",
     .cmd = "x",
     .env = "A=1|B=2",
     .o_env = "A|PATH",
     .argv = "x",
     .envs = "HOSTNAME=box|B=2"},
    {.name = "empty value stays",
     .cmd = "x",
     .o_env = "A=",
     .argv = "x",
     .envs = STD_PATH "|HOSTNAME=box|A="},
    {.name = "prefix is not the name",
     .cmd = "x",
     .env = "AB=1",
     .o_env = "A=2",
     .argv = "x",
     .envs = STD_PATH "|HOSTNAME=box|A=2|AB=1"},
    {.name = "nameless variable of the image",
     .cmd = "x",
     .env = "=1|A=1",
     .argv = "x",
     .envs = STD_PATH "|HOSTNAME=box|A=1"},
    {.name = "nameless option", .cmd = "x", .o_env = "=1", .error = "\"=1\": it has no name"},
    {.name = "HOSTNAME can be replaced",
     .cmd = "x",
     .o_env = "HOSTNAME=me",
     .argv = "x",
     .envs = STD_PATH "|HOSTNAME=me"},
    {.name = "user and directory of the image",
     .cmd = "x",
     .user = "www-data",
     .dir = "/srv/a/",
     .argv = "x",
     .out_user = "www-data",
     .out_dir = "/srv/a"},
    {.name = "user and directory of the options",
     .cmd = "x",
     .user = "www-data",
     .dir = "/srv",
     .o_user = "1000:100",
     .o_dir = "/tmp/../var//./x",
     .argv = "x",
     .out_user = "1000:100",
     .out_dir = "/var/x"},
    {.name = "relative directory",
     .cmd = "x",
     .o_dir = "tmp",
     .error = "the working directory \"tmp\" is invalid"},
    {.name = "relative directory of the image", .cmd = "x", .dir = "app", .error = "\"app\""},
    {.name = "no user before the colon", .cmd = "x", .o_user = ":100", .error = "invalid user"},
};

static struct oci_strings split(const char *s) {
    struct oci_strings l = {0};
    while (s) {
        const char *bar = strchr(s, '|');
        assert_true(strings_append(&l, s, bar ? (size_t)(bar - s) : strlen(s)));
        s = bar ? bar + 1 : NULL;
    }
    return l;
}

static void join(const struct oci_strings *l, struct buf *out) {
    for (unsigned i = 0; i < l->n; i++) buf_printf(out, "%s%s", i ? "|" : "", l->v[i]);
}

static void run_case(const struct merge_case *t) {
    char none[] = "";
    struct oci_config image = {.entrypoint = split(t->entrypoint),
                               .cmd = split(t->cmd),
                               .env = split(t->env),
                               .user = t->user ? strdup(t->user) : NULL,
                               .working_dir = t->dir ? strdup(t->dir) : none};
    struct oci_strings argv = split(t->o_argv), env = split(t->o_env);
    struct container_process p = {.argv = (const char *const *)argv.v,
                                  .entrypoint = t->o_entrypoint,
                                  .env = (const char *const *)env.v,
                                  .user = t->o_user,
                                  .workdir = t->o_dir,
                                  .tty = t->tty};
    struct process_spec spec;
    struct err err = {0};
    int rc = process_merge(&spec, &image, &p, "box", &err);
    if (t->error) {
        if (rc >= 0 || !strstr(err.msg, t->error)) fail_msg("%s: got \"%s\"", t->name, err.msg);
    } else {
        struct buf got = {0};
        if (rc < 0) fail_msg("%s: %s", t->name, err.msg);
        join(&spec.argv, &got);
        if (strcmp(buf_cstr(&got), t->argv)) fail_msg("%s: argv %s", t->name, buf_cstr(&got));
        got.len = 0;
        join(&spec.env, &got);
        if (t->envs && strcmp(buf_cstr(&got), t->envs))
            fail_msg("%s: env %s", t->name, buf_cstr(&got));
        if (t->out_user) assert_string_equal(spec.user, t->out_user);
        if (t->out_dir) assert_string_equal(spec.cwd, t->out_dir);
        assert_int_equal(spec.tty, t->tty);
        buf_free(&got);
    }
    process_spec_free(&spec);
    strings_free(&image.entrypoint);
    strings_free(&image.cmd);
    strings_free(&image.env);
    strings_free(&argv);
    strings_free(&env);
    free(image.user);
    if (image.working_dir != none) free(image.working_dir);
}

static void test_merge(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) run_case(&cases[i]);
}

static void test_clean_path(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"/", "/"},           {"//", "/"},
        {"/a", "/a"},         {"/a/", "/a"},
        {"/a/./b", "/a/b"},   {"/a/../b", "/b"},
        {"/../..", "/"},      {"/a/b/../../c", "/c"},
        {"/..a/b", "/..a/b"}, {"/a//b///c", "/a/b/c"},
        {"/a/.b", "/a/.b"},   {"/a/..", "/"},
    };
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        char *got = process_clean_path(pairs[i][0]);
        assert_string_equal(got, pairs[i][1]);
        free(got);
    }
    assert_null(process_clean_path("a/b"));
    assert_null(process_clean_path(""));
}

static void test_spawn_payload(void **state) {
    (void)state;
    struct process_spec s = {
        .argv = split("sh|-c|"), .env = split("A=1|B="), .tty = true, .cols = 132, .rows = 43};
    s.cwd = strdup("/w");
    s.user = strdup("");
    struct buf b = {0};
    struct err err;
    assert_int_equal(process_put_spawn(&b, &s, &err), 0);
    static const char want[] =
        "\1\0\0\0\x84\0\x2b\0arg=sh\0arg=-c\0arg=\0env=A=1\0env=B=\0cwd=/w\0user=";
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.data, want, sizeof want);
    buf_free(&b);
    process_spec_free(&s);
}

static void test_spawn_too_long(void **state) {
    (void)state;
    char *big = malloc(CTL_MAX_PAYLOAD);
    memset(big, 'a', CTL_MAX_PAYLOAD);
    struct process_spec s = {.argv = split("sh")};
    s.cwd = strdup("/");
    s.user = strdup("");
    assert_true(strings_append(&s.env, big, CTL_MAX_PAYLOAD));
    struct buf b = {0};
    struct err err = {0};
    assert_int_equal(process_put_spawn(&b, &s, &err), -ERR_LIMIT);
    assert_non_null(strstr(err.msg, "65536"));
    buf_free(&b);
    process_spec_free(&s);
    free(big);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_clean_path),
        cmocka_unit_test(test_spawn_payload),
        cmocka_unit_test(test_spawn_too_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
