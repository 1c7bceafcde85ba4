// The pull as its host drives it, with layouts held in memory: order of requests, checks, limits,
// misuse. What images look like inside is tested against other unpackers in test/oci/.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oci/decomp.h"
#include "oci/imgtree.h"
#include "oci/json.h"
#include "oci/manifest.h"
#include "oci_fixture.h"

static struct mem_store store;
static struct layout layout;

static int reset(void **state) {
    (void)state;
    buf_free(&store.b);
    store = (struct mem_store){0};
    layout_free(&layout);
    return 0;
}

static struct oci_pull *pull_of(const struct oci_pull_settings *more) {
    struct oci_pull_settings s = more ? *more : (struct oci_pull_settings){.arch = "riscv64"};
    s.store = mem_blob_store(&store);
    struct oci_pull *p = oci_pull_create(&s, NULL);
    assert_non_null(p);
    return p;
}

static void two_layers(const char *config) {
    struct buf l[2] = {{0}, {0}};
    tar_dir(&l[0], "etc");
    tar_file(&l[0], "etc/passwd", "root:x:0:0:::\n");
    tar_file(&l[0], "gone", "1");
    tar_finish(&l[0]);
    tar_file(&l[1], ".wh.gone", "");
    tar_file(&l[1], "etc/hostname", "box\n");
    tar_finish(&l[1]);
    layout_image(&layout, l, 2, config);
    buf_free(&l[0]);
    buf_free(&l[1]);
}

static void whole_pull(void **state) {
    (void)state;
    two_layers(
        "\"Entrypoint\":[\"/init\"],\"Cmd\":[\"a\",\"b "
        "c\"],\"Env\":[\"A=1\",\"B=\"],\"User\":\"1:2\","
        "\"WorkingDir\":\"/w\",\"StopSignal\":\"SIGINT\",\"ExposedPorts\":{\"80/tcp\":{}},"
        "\"Volumes\":{\"/data\":{}},\"Labels\":{\"k\":\"v\"},\"Shell\":null,\"Unknown\":[1]");
    for (size_t step = 1; step < 100000; step = step * 7 + 2) {
        struct oci_pull *p = pull_of(NULL);
        struct err err = {0};
        if (layout_pull(&layout, p, step, &err) < 0) fail_msg("step %zu: %s", step, err.msg);
        struct imgtree *t = oci_pull_take_tree(p);
        struct oci_config *c = oci_pull_take_config(p);
        assert_null(oci_pull_take_tree(p));
        unsigned n;
        assert_true(oci_pull_layers(p, &n)[1].size == 512 + 512 + 512 + 1024 && n == 2);
        assert_int_equal(strlen(oci_pull_manifest_digest(p)), DIGEST_TEXT - 1);
        oci_pull_destroy(p);
        struct buf b = {0};
        assert_int_equal(imgtree_read_file(t, "/etc/passwd", 1000, &b, &err), 0);
        assert_string_equal(buf_cstr(&b), "root:x:0:0:::\n");
        assert_int_equal(imgtree_resolve(t, "/gone", true), 0);
        assert_true(imgtree_resolve(t, "/etc/hostname", true) != 0);
        assert_string_equal(c->architecture, "riscv64");
        assert_true(c->entrypoint.n == 1 && !strcmp(c->entrypoint.v[0], "/init") &&
                    !c->entrypoint.v[1]);
        assert_true(c->cmd.n == 2 && !strcmp(c->cmd.v[1], "b c") && c->env.n == 2 &&
                    c->shell.n == 0);
        assert_string_equal(c->user, "1:2");
        assert_string_equal(c->working_dir, "/w");
        assert_string_equal(c->stop_signal, "SIGINT");
        assert_string_equal(c->exposed_ports.v[0], "80/tcp");
        assert_string_equal(c->volumes.v[0], "/data");
        assert_string_equal(c->labels.v[0], "k=v");
        buf_free(&b);
        imgtree_destroy(t);
        oci_config_free(c);
    }
}

static void order_of_requests(void **state) {
    (void)state;
    two_layers("");
    struct oci_pull *p = pull_of(NULL);
    struct oci_request req, again;
    struct err err = {0};
    assert_true(oci_pull_feed(p, (const u8 *)"x", 1, &err) < 0 && strstr(err.msg, "oci_pull_next"));
    assert_true(oci_pull_end(p, &err) < 0);
    static const char *const FIRST[] = {"oci-layout", "index.json", "blobs/sha256/",
                                        "blobs/sha256/"};
    unsigned layers = 0;
    for (unsigned i = 0; oci_pull_next(p, &req, &err) == 1; i++) {
        assert_int_equal(oci_pull_next(p, &again, &err), 1); // asking again changes nothing
        assert_ptr_equal(req.path, again.path);
        if (i < 4) assert_true(!strncmp(req.path, FIRST[i], strlen(FIRST[i])) && !req.is_layer);
        assert_int_equal(oci_pull_manifest_digest(p) != NULL, i > 2);
        assert_int_equal(oci_pull_config(p) != NULL, i > 3);
        if (i >= 2) assert_int_equal(req.size, layout_find(&layout, req.path)->b.len);
        if (req.is_layer) assert_true(req.layer == ++layers && req.layers == 2);
        struct layout_file *f = layout_find(&layout, req.path);
        assert_int_equal(oci_pull_feed(p, f->b.data, f->b.len, &err), 0);
        assert_int_equal(oci_pull_end(p, &err), 0);
    }
    assert_int_equal(layers, 2);
    assert_true(oci_pull_feed(p, (const u8 *)"x", 1, &err) < 0);
    oci_pull_destroy(p); // with tree and config not taken
}

static void expect_failure(const struct oci_pull_settings *s, int code, const char *words) {
    struct oci_pull *p = pull_of(s);
    struct oci_request req;
    struct err err = {0};
    int r = layout_pull(&layout, p, 1000, &err);
    if (r >= 0 || err.code != code || !strstr(err.msg, words))
        fail_msg("%d: %s", err.code, err.msg);
    assert_true(oci_pull_next(p, &req, &err) < 0); // stays failed
    assert_true(oci_pull_feed(p, (const u8 *)"x", 1, &err) < 0);
    assert_null(oci_pull_take_tree(p));
    oci_pull_destroy(p);
}

static void limits(void **state) {
    (void)state;
    two_layers("");
    expect_failure(&(struct oci_pull_settings){.max_unpacked = 5000}, ERR_LIMIT, "unpacks to more");
    expect_failure(&(struct oci_pull_settings){.max_files = 2}, ERR_LIMIT, "more than 2 files");
    expect_failure(&(struct oci_pull_settings){.arch = "amd64"}, ERR_UNSUPPORTED,
                   "but linux/amd64 is needed");
    expect_failure(&(struct oci_pull_settings){.arch = "x86_64,arm64,x86-64"}, ERR_UNSUPPORTED,
                   "but linux/amd64 or linux/arm64 is needed");
    expect_failure(&(struct oci_pull_settings){.tag = "x"}, ERR_NOTFOUND, "tagged x");
    store.fail = true;
    expect_failure(NULL, ERR_IO, "space left");
}

// A megabyte of zeros a member: the bound stops it before memory or the store fill up.
static void bomb(void **state) {
    (void)state;
    struct buf l = {0};
    u8 *h = tar_header(&l, (struct entry){.name = "zeros"});
    memcpy(h + 124, "\x80\0\0\0\0\0\x01\0\0\0\0\0", 12); // a terabyte is announced
    tar_checksum(h);
    for (int i = 0; i < 8; i++) {
        static const u8 zero[1 << 20];
        buf_put(&l, zero, sizeof zero);
    }
    layout_image(&layout, &l, 1, "");
    expect_failure(&(struct oci_pull_settings){.max_unpacked = 4 << 20}, ERR_LIMIT,
                   "more than 4 MiB");
    assert_true(store.b.len <= 4 << 20);
    expect_failure(NULL, ERR_CORRUPT, "cut off");
    buf_free(&l);
}

static int drop(void *arg, const u8 *p, size_t n, struct err *err) {
    (void)p, (void)err;
    *(u64 *)arg += n;
    return 0;
}

static void short_streams(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        bool ok;
    } IN[] = {{"", 0, true},
              {"a", 1, true},
              {"ab", 2, true},
              {"\x1f\x8b", 2, false},
              {"\x1f", 1, true},
              {"BZh9", 4, false},
              {"\x28\xb5\x2f\xfd", 4, false}};
    for (size_t i = 0; i < ARRAY_LEN(IN); i++) {
        u64 got = 0;
        struct err err = {0};
        struct decomp *d = decomp_create(drop, &got);
        int r = decomp_feed(d, (const u8 *)IN[i].bytes, IN[i].n, &err);
        if (r == 0) r = decomp_end(d, &err);
        assert_int_equal(r == 0, IN[i].ok);
        if (IN[i].ok) assert_int_equal(got, IN[i].n);
        decomp_destroy(d);
    }
}

static void json_bounds(void **state) {
    (void)state;
    assert_true(json_looks_like_html((const u8 *)"\xef\xbb\xbf \n<html>", 11));
    assert_false(json_looks_like_html((const u8 *)"  {", 3));
    assert_false(json_looks_like_html((const u8 *)"", 0));
    struct err err;
    // Brackets inside strings do not nest.
    struct buf b = {0};
    buf_put_str(&b, "{\"a\":\"");
    for (int i = 0; i < 300; i++) buf_put_str(&b, "[{\\\"");
    buf_put_str(&b, "\"}");
    cJSON *j = json_parse(b.data, b.len, "x", &err);
    assert_non_null(j);
    cJSON_Delete(j);
    buf_free(&b);
    static const char DOC[] = "{\"s\":1.5,\"b\":1e300,\"n\":null,\"k\":12,\"t\":\"x\"}";
    j = json_parse((const u8 *)DOC, sizeof DOC - 1, "doc", &err);
    u64 v = 7;
    const char *s;
    assert_true(json_size(j, "s", &v, "doc", &err) < 0 && strstr(err.msg, "doc"));
    assert_true(json_size(j, "b", &v, "doc", &err) < 0);
    assert_true(json_size(j, "n", &v, "doc", &err) == 0 && v == 7);
    assert_true(json_size(j, "k", &v, "doc", &err) == 0 && v == 12);
    assert_true(json_string(j, "k", &s, "doc", &err) < 0);
    assert_true(json_string(j, "n", &s, "doc", &err) == 0 && !s);
    cJSON_Delete(j);
}

static void digests(void **state) {
    (void)state;
    char text[DIGEST_TEXT];
    digest_of("abc", 3, text);
    assert_string_equal(text,
                        "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    struct err err;
    assert_int_equal(digest_check_form(text, "x", &err), 0);
    text[20] = 'A';
    assert_true(digest_check_form(text, "x", &err) < 0);
    assert_true(digest_check_form("sha256:12", "x", &err) < 0);
    assert_true(digest_check_form("nothing", "x", &err) < 0 && err.code == ERR_CORRUPT);
    assert_string_equal(oci_arch_name("x86_64"), "amd64");
    assert_string_equal(oci_arch_name("riscv64"), "riscv64");
    assert_null(oci_arch_name(NULL));
    assert_int_equal(oci_arch_rank("riscv64,x86_64", "amd64"), 1);
    assert_int_equal(oci_arch_rank("amd64", "x86_64"), 0);
    assert_int_equal(oci_arch_rank("riscv64,x86_64", "riscv"), -1);
    assert_int_equal(oci_arch_rank("", ""), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(whole_pull, reset, reset),
        cmocka_unit_test_setup_teardown(order_of_requests, reset, reset),
        cmocka_unit_test_setup_teardown(limits, reset, reset),
        cmocka_unit_test_setup_teardown(bomb, reset, reset),
        cmocka_unit_test(short_streams),
        cmocka_unit_test(json_bounds),
        cmocka_unit_test(digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
