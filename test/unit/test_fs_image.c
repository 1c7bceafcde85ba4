// The image as a 9p back end: attributes, lookup, reading, listing in pieces, refusal to write.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oci/imgtree.h"
#include "oci/imgtree_impl.h"
#include "oci_fixture.h"
#include "p9/fs.h"
#include "p9/linux.h"

static struct mem_store store;
static struct imgtree *tree;
static struct fs *fs;
static struct fs_result last;
static unsigned calls;

static void done(void *arg, const struct fs_result *r) {
    (void)arg;
    last = *r;
    calls++;
}

static u32 put(u32 dir, const char *name, u32 type) {
    struct imgtree_meta m = {.mode = 0750, .uid = 10, .gid = 20, .mtime_s = 1000, .mtime_ns = 5};
    u32 ino = imgtree_new(tree, type, &m, NULL);
    assert_int_equal(imgtree_link(tree, dir, name, strlen(name), ino, 1, NULL), 0);
    return ino;
}

static int setup(void **state) {
    (void)state;
    struct blob_store s = mem_blob_store(&store);
    tree = imgtree_create(&s);
    u32 d = put(IMGTREE_ROOT, "dir", T_DIR), f = put(d, "file", T_REG);
    imgtree_append(tree, f, 0, (const u8 *)"hello world", 11, NULL);
    struct imgtree_xattr x[] = {{"user.a", (const u8 *)"one", 3},
                                {"security.capability", (const u8 *)"\0\1", 2}};
    imgtree_set_xattrs(tree, f, x, 2, NULL);
    imgtree_set_link(tree, put(d, "link", T_LNK), "file", 4, NULL);
    imgtree_set_rdev(tree, put(d, "dev", T_BLK), 8, 1);
    for (int i = 0; i < 500; i++) {
        char name[20];
        snprintf(name, sizeof name, "n%d", i);
        put(d, name, T_REG);
    }
    fs = fs_image_create(tree, NULL);
    assert_non_null(fs);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fs->ops->destroy(fs);
    imgtree_destroy(tree);
    buf_free(&store.b);
    store = (struct mem_store){0};
    return 0;
}

static struct fs_node *look(struct fs_node *dir, const char *name) {
    fs->ops->lookup(fs, dir, name, done, NULL);
    return last.err ? NULL : last.node;
}

static void lookup_and_attributes(void **state) {
    (void)state;
    struct fs_node *root = fs->ops->root(fs), *d = look(root, "dir"), *f = look(d, "file");
    assert_non_null(f);
    u64 ino = last.attr.ino;
    assert_int_equal(last.attr.mode, LX_S_IFREG | 0750);
    assert_true(last.attr.uid == 10 && last.attr.gid == 20 && last.attr.size == 11 &&
                last.attr.nlink == 1);
    assert_true(last.attr.mtime_s == 1000 && last.attr.ctime_ns == 5 && last.attr.blocks == 1);
    calls = 0;
    fs->ops->getattr(fs, f, done, NULL);
    assert_true(calls == 1 && last.attr.ino == ino);
    assert_null(look(d, "none"));
    assert_int_equal(last.err, LX_ENOENT);
    assert_null(look(f, "x"));
    assert_int_equal(last.err, LX_ENOTDIR);
    fs->ops->parent(fs, d, done, NULL);
    assert_true(!last.err && last.node == root);
    fs->ops->parent(fs, root, done, NULL);
    assert_true(!last.err && last.node == root);
    look(d, "dev");
    assert_int_equal(last.attr.rdev, 0x801);
    char b[10];
    fs->ops->readlink(fs, look(d, "link"), b, sizeof b, done, NULL);
    assert_true(last.count == 4 && !memcmp(b, "file", 4));
    fs->ops->readlink(fs, look(d, "link"), b, 2, done, NULL);
    assert_int_equal(last.count, 2);
    fs->ops->readlink(fs, f, b, sizeof b, done, NULL);
    assert_int_equal(last.err, LX_EINVAL);
    fs->ops->statfs(fs, root, done, NULL);
    assert_true(last.statfs.files == 505 && last.statfs.namelen == 255 && last.statfs.bfree == 0);
}

static int open_as(const char *name, u32 flags) {
    struct fs_node *root = fs->ops->root(fs), *d = look(root, "dir");
    fs->ops->open(fs, *name ? look(d, name) : d, flags, done, NULL);
    return last.err;
}

static void opening(void **state) {
    (void)state;
    assert_int_equal(open_as("file", LX_O_RDONLY), 0);
    assert_int_equal(open_as("file", LX_O_WRONLY), LX_EROFS);
    assert_int_equal(open_as("file", LX_O_RDWR), LX_EROFS);
    assert_int_equal(open_as("file", LX_O_RDONLY | LX_O_TRUNC), LX_EROFS);
    assert_int_equal(open_as("file", LX_O_DIRECTORY), LX_ENOTDIR);
    assert_int_equal(open_as("", LX_O_DIRECTORY), 0);
    assert_int_equal(open_as("", LX_O_RDWR), LX_EISDIR);
    assert_int_equal(open_as("link", 0), LX_ELOOP);
    assert_int_equal(open_as("dev", 0), LX_ENXIO);
    assert_true(!fs->ops->write && !fs->ops->create && !fs->ops->setattr && !fs->ops->unlink &&
                !fs->ops->rename && !fs->ops->setxattr);
}

static void reading(void **state) {
    (void)state;
    struct fs_node *d = look(fs->ops->root(fs), "dir"), *f = look(d, "file");
    u8 b[20];
    fs->ops->read(fs, f, NULL, 6, b, sizeof b, done, NULL);
    assert_true(last.count == 5 && !memcmp(b, "world", 5));
    fs->ops->read(fs, f, NULL, 11, b, sizeof b, done, NULL);
    assert_true(!last.err && last.count == 0);
    fs->ops->read(fs, d, NULL, 0, b, sizeof b, done, NULL);
    assert_int_equal(last.err, LX_EISDIR);
    store.fail = true;
    fs->ops->read(fs, f, NULL, 0, b, sizeof b, done, NULL);
    assert_int_equal(last.err, LX_EIO);
}

struct listing {
    unsigned room, n;
    u64 next;
    char names[600][20];
    u8 types[600];
};

static bool emit(void *arg, const char *name, size_t len, u64 ino, u8 dtype, u64 next) {
    struct listing *l = arg;
    assert_true(ino && len == strlen(name) && l->n < 600);
    if (!l->room) return false;
    l->room--;
    snprintf(l->names[l->n], 20, "%s", name);
    l->types[l->n++] = dtype;
    l->next = next;
    return true;
}

static void listing_in_pieces(void **state) {
    (void)state;
    struct fs_node *d = look(fs->ops->root(fs), "dir");
    static struct listing whole, parts;
    memset(&whole, 0, sizeof whole);
    whole.room = 600;
    calls = 0;
    fs->ops->readdir(fs, d, NULL, 0, emit, &whole, done, NULL);
    assert_true(calls == 1 && !last.err && whole.n == 505);
    assert_string_equal(whole.names[0], ".");
    assert_string_equal(whole.names[1], "..");
    assert_string_equal(whole.names[2], "file");
    assert_true(whole.types[0] == LX_DT_DIR && whole.types[2] == LX_DT_REG &&
                whole.types[3] == LX_DT_LNK && whole.types[4] == LX_DT_BLK);
    for (unsigned room = 1; room < 100; room += 13) {
        memset(&parts, 0, sizeof parts);
        unsigned before;
        do {
            before = parts.n;
            parts.room = room;
            fs->ops->readdir(fs, d, NULL, parts.next, emit, &parts, done, NULL);
        } while (parts.n > before);
        assert_int_equal(parts.n, whole.n);
        assert_memory_equal(parts.names, whole.names, sizeof whole.names);
    }
    // Cookies that were never given: nothing, not a crash.
    static const u64 WILD[] = {3, 100000, ~0ull, 1ull << 63};
    for (size_t i = 0; i < ARRAY_LEN(WILD); i++)
        fs->ops->readdir(fs, fs->ops->root(fs), NULL, WILD[i], emit, &parts, done, NULL);
    fs->ops->readdir(fs, look(d, "file"), NULL, 0, emit, &parts, done, NULL);
    assert_int_equal(last.err, LX_ENOTDIR);
}

static void extended_attributes(void **state) {
    (void)state;
    struct fs_node *d = look(fs->ops->root(fs), "dir"), *f = look(d, "file");
    u8 b[64];
    fs->ops->getxattr(fs, f, "user.a", b, sizeof b, done, NULL);
    assert_true(!last.err && last.count == 3 && !memcmp(b, "one", 3));
    fs->ops->getxattr(fs, f, "user.a", NULL, 0, done, NULL);
    assert_int_equal(last.count, 3);
    fs->ops->getxattr(fs, f, "user.a", b, 2, done, NULL);
    assert_int_equal(last.err, LX_ERANGE);
    fs->ops->getxattr(fs, f, "user.b", b, sizeof b, done, NULL);
    assert_int_equal(last.err, LX_ENODATA);
    fs->ops->getxattr(fs, f, NULL, b, sizeof b, done, NULL);
    assert_true(last.count == 27 && !memcmp(b, "user.a\0security.capability\0", 27));
    fs->ops->getxattr(fs, f, NULL, NULL, 0, done, NULL);
    assert_int_equal(last.count, 27);
    fs->ops->getxattr(fs, f, NULL, b, 26, done, NULL);
    assert_int_equal(last.err, LX_ERANGE);
    fs->ops->getxattr(fs, d, NULL, b, sizeof b, done, NULL);
    assert_true(!last.err && last.count == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lookup_and_attributes, setup, teardown),
        cmocka_unit_test_setup_teardown(opening, setup, teardown),
        cmocka_unit_test_setup_teardown(reading, setup, teardown),
        cmocka_unit_test_setup_teardown(listing_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(extended_attributes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
