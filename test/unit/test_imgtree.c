// The unpacked tree: names, links, contents with holes, removal, saving and loading.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oci/imgtree.h"
#include "oci/imgtree_impl.h"
#include "oci_fixture.h"

static struct mem_store store;

static struct imgtree *new_tree(void) {
    buf_free(&store.b);
    store = (struct mem_store){0};
    struct blob_store s = mem_blob_store(&store);
    return imgtree_create(&s);
}

static u32 put(struct imgtree *t, u32 dir, const char *name, u32 type, u32 layer) {
    struct imgtree_meta m = {.mode = 0644, .uid = 1, .gid = 2, .mtime_s = -3, .mtime_ns = 4};
    u32 ino = imgtree_new(t, type, &m, NULL);
    assert_true(ino && imgtree_link(t, dir, name, strlen(name), ino, layer, NULL) == 0);
    return ino;
}

static u32 get(const struct imgtree *t, u32 dir, const char *name) {
    return imgtree_lookup(t, dir, name, strlen(name));
}

static unsigned count(const struct imgtree *t, u32 dir) {
    struct imgtree_dirent de;
    unsigned n = 0;
    for (u64 c = 0; imgtree_readdir(t, dir, c, &de); c = de.next) n++;
    return n;
}

static void names(void **state) {
    (void)state;
    struct imgtree *t = new_tree();
    u32 d = put(t, IMGTREE_ROOT, "d", T_DIR, 1), f = put(t, d, "f", T_REG, 1);
    assert_int_equal(get(t, IMGTREE_ROOT, "d"), d);
    assert_int_equal(get(t, d, "f"), f);
    assert_int_equal(get(t, IMGTREE_ROOT, "f"), 0);
    assert_int_equal(imgtree_lookup(t, d, "", 0), 0);
    assert_int_equal(imgtree_lookup(t, f, "x", 1), 0);
    assert_int_equal(imgtree_lookup(t, 99, "x", 1), 0);
    assert_int_equal(imgtree_parent(t, d), IMGTREE_ROOT);
    assert_int_equal(imgtree_parent(t, IMGTREE_ROOT), IMGTREE_ROOT);
    assert_int_equal(imgtree_parent(t, f), 0);
    struct imgtree_stat st;
    assert_true(imgtree_stat(t, f, &st));
    assert_int_equal(st.mode, T_REG | 0644);
    assert_true(st.uid == 1 && st.gid == 2 && st.mtime_s == -3 && st.mtime_ns == 4 &&
                st.nlink == 1);
    assert_true(imgtree_stat(t, IMGTREE_ROOT, &st) && st.nlink == 3);
    assert_false(imgtree_stat(t, 0, &st));
    assert_false(imgtree_stat(t, 4, &st));
    assert_int_equal(imgtree_link(t, IMGTREE_ROOT, "hard", 4, f, 1, NULL), 0);
    assert_true(imgtree_stat(t, f, &st) && st.nlink == 2);
    imgtree_remove(t, d, "f", 1);
    assert_true(imgtree_stat(t, f, &st) && st.nlink == 1);
    imgtree_remove(t, IMGTREE_ROOT, "hard", 4);
    assert_false(imgtree_stat(t, f, &st));
    imgtree_remove(t, IMGTREE_ROOT, "hard", 4); // not there: nothing happens
    imgtree_destroy(t);
}

static void many_names(void **state) {
    (void)state;
    enum { N = 30000 };
    struct imgtree *t = new_tree();
    char name[40];
    u32 d = put(t, IMGTREE_ROOT, "dir", T_DIR, 1);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "a-file-of-average-name.%d", i);
        put(t, i % 3 ? d : IMGTREE_ROOT, name, T_REG, 1);
    }
    for (int i = 0; i < N; i += 2) {
        snprintf(name, sizeof name, "a-file-of-average-name.%d", i);
        imgtree_remove(t, i % 3 ? d : IMGTREE_ROOT, name, strlen(name));
    }
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "a-file-of-average-name.%d", i);
        assert_int_equal(get(t, i % 3 ? d : IMGTREE_ROOT, name) != 0, i % 2);
        assert_int_equal(get(t, i % 3 ? IMGTREE_ROOT : d, name), 0);
    }
    assert_int_equal(count(t, d) + count(t, IMGTREE_ROOT), N / 2 + 1);
    struct imgtree_usage u;
    imgtree_usage(t, &u);
    assert_true(u.names == N / 2 + 1 && u.inodes == N / 2 + 2);
    assert_true(u.memory < 10 << 20); // of 30,000 files
    assert_int_equal(imgtree_compact(&t, NULL), 0);
    struct imgtree_usage c;
    imgtree_usage(t, &c);
    assert_true(c.names == u.names && c.inodes == u.inodes && c.memory < u.memory);
    imgtree_destroy(t);
}

static void read_is(const struct imgtree *t, u32 ino, u64 off, size_t n, const char *want,
                    size_t len) {
    u8 b[200];
    assert_int_equal(imgtree_read(t, ino, off, b, n), len);
    assert_memory_equal(b, want, len);
}

static void contents(void **state) {
    (void)state;
    for (size_t piece = 0; piece < 2; piece++) { // contiguous in the store, and not
        struct imgtree *t = new_tree();
        store.piece = piece;
        u32 f = put(t, IMGTREE_ROOT, "f", T_REG, 1), g = put(t, IMGTREE_ROOT, "g", T_REG, 1);
        assert_int_equal(imgtree_append(t, f, 0, (const u8 *)"abc", 3, NULL), 0);
        assert_int_equal(imgtree_append(t, f, 3, (const u8 *)"defg", 4, NULL), 0);
        read_is(t, f, 0, 100, "abcdefg", 7);
        read_is(t, f, 2, 3, "cde", 3);
        read_is(t, f, 7, 3, "", 0);
        read_is(t, f, ~0ull, 3, "", 0);
        imgtree_set_size(t, g, 20);
        assert_int_equal(imgtree_append(t, g, 4, (const u8 *)"xy", 2, NULL), 0);
        assert_int_equal(imgtree_append(t, g, 6, (const u8 *)"z", 1, NULL), 0);
        assert_int_equal(imgtree_append(t, g, 15, (const u8 *)"end", 3, NULL), 0);
        read_is(t, g, 0, 100, "\0\0\0\0xyz\0\0\0\0\0\0\0\0end\0\0", 20);
        read_is(t, g, 5, 12, "yz\0\0\0\0\0\0\0\0en", 12);
        struct imgtree_stat st;
        assert_true(imgtree_stat(t, g, &st) && st.size == 20 && st.blocks == 1);
        assert_int_equal(imgtree_compact(&t, NULL), 0);
        g = get(t, IMGTREE_ROOT, "g");
        read_is(t, g, 5, 12, "yz\0\0\0\0\0\0\0\0en", 12);
        read_is(t, get(t, IMGTREE_ROOT, "f"), 0, 7, "abcdefg", 7);
        u8 b[4];
        assert_int_equal(imgtree_read(t, IMGTREE_ROOT, 0, b, 4), -1);
        store.fail = true;
        assert_int_equal(imgtree_read(t, g, 4, b, 4), -1);
        struct err err = {0};
        assert_true(imgtree_append(t, put(t, IMGTREE_ROOT, "h", T_REG, 1), 0, b, 1, &err) < 0);
        assert_non_null(strstr(err.msg, "space left"));
        imgtree_destroy(t);
    }
}

static void prune(void **state) {
    (void)state;
    struct imgtree *t = new_tree();
    u32 a = put(t, IMGTREE_ROOT, "a", T_DIR, 1), b = put(t, a, "b", T_DIR, 1),
        c = put(t, b, "c", T_DIR, 1);
    put(t, c, "old", T_REG, 1);
    put(t, c, "new", T_REG, 2);
    put(t, b, "old", T_REG, 1);
    u32 gone = put(t, a, "gone", T_DIR, 1);
    put(t, put(t, gone, "deep", T_DIR, 1), "er", T_REG, 1);
    put(t, a, "new", T_REG, 2);
    put(t, IMGTREE_ROOT, "other", T_REG, 1);
    imgtree_prune(t, a, 2);
    assert_true(get(t, c, "new") && get(t, a, "new") && get(t, IMGTREE_ROOT, "other"));
    assert_false(get(t, c, "old") || get(t, b, "old") || get(t, a, "gone"));
    assert_int_equal(get(t, a, "b"), b);
    imgtree_touch(t, IMGTREE_ROOT, "other", 5, 3);
    assert_int_equal(imgtree_layer_of(t, IMGTREE_ROOT, "other", 5), 3);
    imgtree_prune(t, IMGTREE_ROOT, 3);
    assert_true(count(t, IMGTREE_ROOT) == 1 && get(t, IMGTREE_ROOT, "other"));
    imgtree_destroy(t);
}

static void deep_removal(void **state) {
    (void)state;
    struct imgtree *t = new_tree();
    u32 at = IMGTREE_ROOT;
    for (int i = 0; i < 100000; i++)
        at = put(t, at, "d", T_DIR, 1); // recursion would not survive this
    assert_int_equal(imgtree_compact(&t, NULL), 0);
    imgtree_prune(t, get(t, IMGTREE_ROOT, "d"), 0);
    imgtree_remove(t, IMGTREE_ROOT, "d", 1);
    assert_int_equal(count(t, IMGTREE_ROOT), 0);
    struct imgtree_usage u;
    imgtree_usage(t, &u);
    assert_int_equal(u.inodes, 1);
    imgtree_destroy(t);
}

static u32 symlink_to(struct imgtree *t, u32 dir, const char *name, const char *target) {
    u32 ino = put(t, dir, name, T_LNK, 1);
    assert_int_equal(imgtree_set_link(t, ino, target, strlen(target), NULL), 0);
    return ino;
}

static void resolve(void **state) {
    (void)state;
    struct imgtree *t = new_tree();
    u32 usr = put(t, IMGTREE_ROOT, "usr", T_DIR, 1), lib = put(t, usr, "lib", T_DIR, 1);
    u32 f = put(t, lib, "f", T_REG, 1), l = symlink_to(t, IMGTREE_ROOT, "lib", "usr/lib");
    symlink_to(t, lib, "up", "../../../../usr/./lib//f");
    symlink_to(t, lib, "abs", "/lib/f");
    symlink_to(t, lib, "loop", "loop");
    symlink_to(t, lib, "dangling", "none");
    static const char *const GOOD[] = {"usr/lib/f",    "/lib/f",  "/lib/../lib/f", "//usr//lib/./f",
                                       "/../../lib/f", "/lib/up", "/lib/abs",      "lib/abs"};
    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++)
        assert_int_equal(imgtree_resolve(t, GOOD[i], true), f);
    static const char *const BAD[] = {"/none",    "/lib/loop", "/lib/dangling",
                                      "/lib/f/x", "/lib/f/",   "/lib/f/.."};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
        assert_int_equal(imgtree_resolve(t, BAD[i], true), 0);
    assert_int_equal(imgtree_resolve(t, "/lib", false), l);
    assert_int_equal(imgtree_resolve(t, "/lib", true), lib);
    assert_int_equal(imgtree_resolve(t, "/lib/", false),
                     lib); // as the kernel: a slash after it follows
    assert_int_equal(imgtree_resolve(t, "", true), IMGTREE_ROOT);
    assert_int_equal(imgtree_append(t, f, 0, (const u8 *)"content", 7, NULL), 0);
    struct buf b = {0};
    struct err err = {0};
    assert_int_equal(imgtree_read_file(t, "/lib/up", 4, &b, &err), 0);
    assert_string_equal(buf_cstr(&b), "cont");
    assert_true(imgtree_read_file(t, "/lib", 4, &b, &err) < 0 && strstr(err.msg, "not a regular"));
    assert_true(imgtree_read_file(t, "/nope", 4, &b, &err) < 0 && strstr(err.msg, "/nope"));
    buf_free(&b);
    imgtree_destroy(t);
}

static struct imgtree *sample(void) {
    struct imgtree *t = new_tree();
    put(t, IMGTREE_ROOT, "removed", T_REG, 1);
    u32 d = put(t, IMGTREE_ROOT, "d", T_DIR, 1), f = put(t, d, "f", T_REG, 1);
    imgtree_append(t, f, 0, (const u8 *)"hello", 5, NULL);
    imgtree_append(t, f, 100, (const u8 *)"world", 5, NULL);
    imgtree_link(t, IMGTREE_ROOT, "hard", 4, f, 1, NULL);
    symlink_to(t, d, "s", "../hard");
    imgtree_set_rdev(t, put(t, d, "null", T_CHR, 1), 1, 3);
    put(t, d, "pipe", T_FIFO, 1);
    struct imgtree_xattr x[] = {{"user.a", (const u8 *)"1\0", 2}, {"user.b", (const u8 *)"", 0}};
    imgtree_set_xattrs(t, d, x, 2, NULL);
    imgtree_remove(t, IMGTREE_ROOT, "removed", 7);
    return t;
}

static void save_and_load(void **state) {
    (void)state;
    struct imgtree *t = sample();
    struct buf a = {0}, b = {0};
    struct err err = {0};
    struct blob_store s = mem_blob_store(&store);
    assert_int_equal(imgtree_save(t, &a, &err), 0);
    struct imgtree *l = imgtree_load(a.data, a.len, &s, store.b.len, &err);
    assert_non_null(l);
    assert_int_equal(imgtree_save(l, &b, &err), 0);
    assert_true(a.len == b.len && !memcmp(a.data, b.data, a.len));
    u32 d = imgtree_resolve(l, "/d", true), f = imgtree_resolve(l, "/d/s", true);
    assert_int_equal(f, imgtree_resolve(l, "/hard", true));
    read_is(l, f, 98, 20, "\0\0world", 7);
    struct imgtree_stat st;
    assert_true(imgtree_stat(l, imgtree_resolve(l, "/d/null", true), &st) && st.rdev == 0x103);
    struct imgtree_xattr x;
    assert_true(imgtree_xattr_get(l, d, "user.a", &x) && x.len == 2 && !memcmp(x.value, "1\0", 2));
    assert_true(imgtree_xattr_get(l, d, "user.b", &x) && x.len == 0);
    assert_false(imgtree_xattr_get(l, d, "user.c", &x) || imgtree_xattr_get(l, f, "user.a", &x));
    imgtree_destroy(t);
    imgtree_destroy(l);
    buf_free(&a);
    buf_free(&b);
}

// Every cut and every flipped bit of a saved tree either fails to load or gives a tree that can be
// walked.
static void walk_all(const struct imgtree *t, u32 dir, unsigned depth) {
    struct imgtree_dirent de;
    u8 b[256];
    assert_true(depth < 20);
    for (u64 c = 0; imgtree_readdir(t, dir, c, &de); c = de.next) {
        struct imgtree_xattr x;
        for (u32 pos = 0; imgtree_xattr_next(t, de.ino, &pos, &x);) assert_true(strlen(x.name) > 0);
        imgtree_read(t, de.ino, 0, b, sizeof b);
        imgtree_readlink(t, de.ino, NULL);
        if ((de.mode & T_MASK) == T_DIR) walk_all(t, de.ino, depth + 1);
    }
}

static void damaged_saves(void **state) {
    (void)state;
    struct imgtree *t = sample();
    struct buf a = {0};
    struct blob_store s = mem_blob_store(&store);
    assert_int_equal(imgtree_save(t, &a, NULL), 0);
    imgtree_destroy(t);
    for (size_t n = 0; n < a.len; n++) {
        struct err err = {0};
        assert_null(imgtree_load(a.data, n, &s, store.b.len, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
    }
    unsigned failed = 0;
    for (size_t bit = 0; bit < a.len * 8; bit++) {
        a.data[bit / 8] ^= (u8)(1 << bit % 8);
        struct imgtree *l = imgtree_load(a.data, a.len, &s, store.b.len, NULL);
        if (l) walk_all(l, IMGTREE_ROOT, 0);
        failed += !l;
        imgtree_destroy(l);
        a.data[bit / 8] ^= (u8)(1 << bit % 8);
    }
    assert_true(failed > 500);
    assert_null(imgtree_load(a.data, a.len, &s, 5, NULL)); // contents beyond the store
    buf_free(&a);
    buf_free(&store.b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),         cmocka_unit_test(many_names),
        cmocka_unit_test(contents),      cmocka_unit_test(prune),
        cmocka_unit_test(deep_removal),  cmocka_unit_test(resolve),
        cmocka_unit_test(save_and_load), cmocka_unit_test(damaged_saves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
