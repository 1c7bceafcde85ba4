// Pulls an image once for every allocation the pull makes, with that allocation failing. Each run
// must end in "out of memory", without crash or leak (built with address sanitizer). The linker
// wraps the allocating functions; what shared libraries allocate for themselves is not failed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oci/imgtree.h"
#include "p9/fs.h"
#include "test/unit/oci_fixture.h"

static long countdown = -1; // allocations that still succeed; -1: all
static bool failed;

static bool fail_now(void) {
    if (countdown < 0) return false;
    if (countdown > 0) {
        countdown--;
        return false;
    }
    failed = true;
    return true;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

void *__wrap_malloc(size_t n) { return fail_now() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fail_now() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fail_now() ? NULL : __real_realloc(p, n); }
char *__wrap_strdup(const char *s) { return fail_now() ? NULL : __real_strdup(s); }

// Static, so that the test's own store needs no allocation.
static u8 contents[1 << 16];
static size_t used;

static bool append(void *arg, const u8 *p, size_t n, u64 *off) {
    (void)arg;
    if (n + 1 > sizeof contents - used) return false;
    *off = ++used; // a gap, so that there are extents
    memcpy(contents + used, p, n);
    used += n;
    return true;
}

static bool read_back(void *arg, u64 off, u8 *dst, size_t n) {
    (void)arg;
    memcpy(dst, contents + off, n);
    return true;
}

static void sample_layers(struct buf l[2]) {
    struct buf x = {0};
    char name[200];
    memset(name, 'n', sizeof name);
    name[199] = 0;
    tar_dir(&l[0], "d");
    pax_record(&x, "path", name);
    pax_record(&x, "SCHILY.xattr.user.a", "b");
    tar_pax(&l[0], &x);
    tar_file(&l[0], "long", "contents that are fed in several pieces");
    tar_file(&l[0], "short", "more");
    pax_record(&x, "GNU.sparse.size", "100");
    pax_record(&x, "GNU.sparse.map", "1,1,50,4");
    tar_pax(&l[0], &x);
    tar_file(&l[0], "sparse", "abcde");
    tar_header(&l[0], (struct entry){.type = '2', .name = "s", .link = "d"});
    tar_file(&l[1], "s/under/implicit", "x");
    tar_header(&l[1], (struct entry){.type = '1', .name = "h", .link = "short"});
    tar_file(&l[1], ".wh.sparse", "");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "many/%d", i);
        tar_file(&l[1], name, "");
    }
}

static int run(struct layout *l, struct err *err) {
    struct oci_pull_settings s = {.arch = "riscv64", .store = {NULL, append, read_back}};
    struct oci_pull *p = oci_pull_create(&s, err);
    if (!p) return -1;
    int r = layout_pull(l, p, 300, err);
    struct imgtree *t = r == 0 ? oci_pull_take_tree(p) : NULL;
    struct fs *fs = t ? fs_image_create(t, err) : NULL;
    if (r == 0 && !fs) r = -1;
    if (fs) fs->ops->destroy(fs);
    imgtree_destroy(t);
    oci_pull_destroy(p);
    return r;
}

static void every_allocation(void **state) {
    (void)state;
    static struct layout layout;
    struct buf l[2] = {{0}, {0}};
    sample_layers(l);
    layout_image(&layout, l, 2, "\"Cmd\":[\"a\"],\"Env\":[\"A=1\"],\"Labels\":{\"a\":\"b\"}");
    unsigned long runs = 0;
    for (long n = 0;; n++, runs++) {
        struct err err = {0};
        used = 0;
        failed = false;
        countdown = n;
        int r = run(&layout, &err);
        countdown = -1;
        if (!failed) { // every one has failed once
            if (r < 0) fail_msg("%s", err.msg);
            break;
        }
        // The hash table of names may do without growing: slower, not wrong.
        if (r == 0) continue;
        if (err.code != ERR_NOMEM) fail_msg("allocation %ld: %d %s", n, err.code, err.msg);
    }
    assert_true(runs > 100);
    layout_free(&layout);
    buf_free(&l[0]);
    buf_free(&l[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
