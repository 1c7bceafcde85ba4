// The options of `berth run`: every way docker run lets them be written, and what is wrong with
// others. The command's sources are not in the library, so the two files are included.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/options.c"
#include "cli/util.c"

static struct run_options o;

// `line` is split at spaces; "_" stands for an empty argument.
static int parse(const char *line, struct err *err) {
    static char text[512];
    static char *argv[64];
    int argc = 0;
    snprintf(text, sizeof text, "run %s", line);
    for (char *p = strtok(text, " "); p; p = strtok(NULL, " "))
        argv[argc++] = strcmp(p, "_") == 0 ? p + 1 : p;
    argv[argc] = NULL;
    return options_parse(&o, argc, argv, err);
}

static void good(const char *line) {
    struct err err = {0};
    if (parse(line, &err) < 0) fail_msg("%s: %s", line, err.msg);
}

static void bad(const char *line, const char *complaint) {
    struct err err = {0};
    assert_true(parse(line, &err) < 0);
    if (!strstr(err.msg, complaint)) fail_msg("%s: %s", line, err.msg);
    options_free(&o);
}

static void test_forms(void **state) {
    (void)state;
    static const char *const same[] = {"--memory 64M -w /d img", "--memory=64M --workdir=/d img",
                                       "-m64M -w=/d img", "-m 65536k -w/d img",
                                       "-m=64mib -w /d -- img"};
    for (size_t i = 0; i < ARRAY_LEN(same); i++) {
        good(same[i]);
        assert_int_equal(o.memory, 64 << 20);
        assert_string_equal(o.workdir, "/d");
        assert_string_equal(o.image, "img");
        assert_null(o.command[0]);
        options_free(&o);
    }
}

static void test_all(void **state) {
    (void)state;
    setenv("BERTH_TEST_VAR", "from here", 1);
    unsetenv("BERTH_TEST_NONE");
    good("-it --rm -e A=1 -eB=2 --env=C= --env BERTH_TEST_VAR -e BERTH_TEST_NONE -u joe:g "
         "--entrypoint _ --hostname h.x --kernel k --initrd i --append a=b --engine eval --stats "
         "--verbose -v /a:/b -v c:/d:ro -v e:f:/g:rw oci:x:y ls -l --help");
    assert_true(o.interactive && o.tty && o.stats && o.verbose && !o.help);
    assert_int_equal(o.nenv, 5);
    assert_string_equal(o.env[0], "A=1");
    assert_string_equal(o.env[1], "B=2");
    assert_string_equal(o.env[2], "C=");
    assert_string_equal(o.env[3], "BERTH_TEST_VAR=from here");
    assert_string_equal(o.env[4], "BERTH_TEST_NONE");
    assert_null(o.env[5]);
    assert_string_equal(o.user, "joe:g");
    assert_string_equal(o.entrypoint, "");
    assert_string_equal(o.hostname, "h.x");
    assert_int_equal(o.cpu.engine, ENGINE_EVAL);
    assert_int_equal(o.nvolumes, 3);
    assert_string_equal(o.volumes[0].dir, "/a");
    assert_string_equal(o.volumes[0].guest, "/b");
    assert_false(o.volumes[0].readonly);
    assert_true(o.volumes[1].readonly);
    assert_string_equal(o.volumes[1].guest, "/d");
    assert_string_equal(o.volumes[2].dir, "e:f"); // the container's path starts at ":/"
    assert_string_equal(o.volumes[2].guest, "/g");
    assert_string_equal(o.image, "oci:x:y");
    assert_string_equal(o.command[0], "ls");
    assert_string_equal(o.command[2], "--help"); // after IMAGE nothing is ours
    options_free(&o);
    good("--help");
    assert_true(o.help);
    options_free(&o);
    good("--tty=false -i img");
    assert_true(o.interactive && !o.tty);
    options_free(&o);
}

static void test_wrong(void **state) {
    (void)state;
    bad("", "no image given");
    bad("-it", "no image given");
    bad("--nonsense img", "unknown option \"--nonsense\"");
    bad("-iz img", "unknown option \"-iz\"");
    bad("--mem img", "unknown option \"--mem\""); // no abbreviations
    bad("--memory", "needs a value");
    bad("-e", "needs a value");
    bad("--memory 12Q img", "invalid memory size \"12Q\"");
    bad("--memory -5 img", "invalid memory size");
    bad("--memory 0 img", "invalid memory size");
    bad("--memory 99999999999999999999 img", "invalid memory size");
    bad("--memory 99999999999G img", "invalid memory size");
    bad("-v /a img", "invalid volume \"/a\"");
    bad("-v /a:b img", "invalid volume");
    bad("-v :/b img", "invalid volume");
    bad("-v /a:/b:zz img", "the mode is \"ro\" or \"rw\"");
    bad("--hostname a/b img", "invalid hostname");
    bad("--engine llvm img", "unknown engine \"llvm\": use interp, eval or jit");
    bad("--no inline,magic img", "unknown pass \"magic\"");
    bad("--dump ix img", "unknown dump \"x\"");
    bad("--torture rack img", "unknown torture \"rack\"");
    bad("--rm=maybe img", "takes no value");
    char many[512] = "";
    for (unsigned i = 0; i < MAX_VOLUME_OPTIONS + 1; i++) strcat(many, "-v /a:/b ");
    strcat(many, "img");
    bad(many, "too many volumes");
}

static void test_sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        u64 want; // 0: refused
    } cases[] = {{"1", 1},
                 {"4k", 4096},
                 {"512M", 512 << 20},
                 {"1g", 1 << 30},
                 {"2GiB", 2ull << 30},
                 {"16777215G", 16777215ull << 30},
                 {"", 0},
                 {"M", 0},
                 {" 1", 0},
                 {"1 M", 0},
                 {"1.5G", 0},
                 {"0x10", 0},
                 {"17179869184G", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        u64 got = 0;
        int rc = cli_parse_size(cases[i].text, &got);
        assert_int_equal(rc == 0, cases[i].want != 0);
        assert_true(got == cases[i].want);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_all),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
