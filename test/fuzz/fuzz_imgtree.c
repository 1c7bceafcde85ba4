// Layers onto a tree. The input is a little program of entries over a few names, so that the fuzzer
// spends its time on the order of things and not on checksums: each entry is op, name, argument.
// Afterwards the tree must hold its invariants, and saving and loading it must give the same bytes.
// An input that starts with 0xff is taken as a saved tree instead.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/imgtree.h"
#include "oci/imgtree_impl.h"
#include "oci/layer.h"

static const char *const NAMES[] = {"a",
                                    "b",
                                    "c",
                                    "a/x",
                                    "a/y",
                                    "b/x",
                                    "a/x/p",
                                    "c/q",
                                    "../b",
                                    "a/../c",
                                    "/a",
                                    "./b/",
                                    "a/.wh.x",
                                    ".wh.a",
                                    ".wh..wh..opq",
                                    "a/.wh..wh..opq",
                                    "b/.wh..wh..opq",
                                    ".wh.b",
                                    "",
                                    "a/../../b",
                                    ".wh."};

static bool store_append(void *arg, const u8 *p, size_t n, u64 *off) {
    u64 *size = arg;
    (void)p;
    *off = *size;
    *size += n + (n & 1); // sometimes contiguous
    return true;
}

static bool store_read(void *arg, u64 off, u8 *dst, size_t n) {
    assert(off <= *(u64 *)arg && n <= *(u64 *)arg - off);
    memset(dst, 1, n);
    return true;
}

// Every name once, parents right, link counts right.
static void check(const struct imgtree *t) {
    u32 *links = calloc(t->ninodes, sizeof *links);
    u32 *stack = calloc(t->ninodes + 1, sizeof *stack);
    u32 depth = 0, names = 0;
    assert(links && stack);
    stack[depth++] = IMGTREE_ROOT;
    while (depth) {
        u32 dir = stack[--depth], subdirs = 0;
        struct imgtree_dirent de;
        for (u64 c = 0; imgtree_readdir(t, dir, c, &de); c = de.next) {
            struct imgtree_stat st;
            assert(imgtree_lookup(t, dir, de.name, de.len) == de.ino);
            assert(imgtree_stat(t, de.ino, &st) && st.mode == de.mode);
            links[de.ino]++;
            names++;
            u8 b[64];
            imgtree_read(t, de.ino, 0, b, sizeof b);
            if ((de.mode & T_MASK) != T_DIR) continue;
            assert(imgtree_parent(t, de.ino) == dir && links[de.ino] == 1);
            subdirs++;
            stack[depth++] = de.ino;
        }
        struct imgtree_stat st;
        assert(imgtree_stat(t, dir, &st) && st.nlink == 2 + subdirs);
    }
    for (u32 i = 2; i < t->ninodes; i++) {
        struct imgtree_stat st;
        bool live = imgtree_stat(t, i, &st);
        assert(live == (links[i] > 0)); // nothing is kept without a name
        if (live && (st.mode & T_MASK) != T_DIR) assert(st.nlink == links[i]);
    }
    assert(names == t->live_dirents);
    free(links);
    free(stack);
}

static void header(u8 *h, char type, const char *name, const char *link, unsigned size) {
    memset(h, 0, 512);
    snprintf((char *)h, 100, "%s", name);
    memcpy(h + 100, "0000755", 7);
    snprintf((char *)h + 124, 12, "%011o", size);
    h[156] = (u8)type;
    snprintf((char *)h + 157, 100, "%s", link);
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    memset(h + 148, ' ', 8);
    unsigned sum = 0;
    for (int i = 0; i < 512; i++) sum += h[i];
    snprintf((char *)h + 148, 8, "%06o", sum);
}

static bool entry(struct layer *l, const u8 *p) {
    static const char TYPES[] = "00155263";
    u8 block[1024] = {0};
    char type = TYPES[p[0] % 8];
    unsigned size = type == '0' ? p[2] : 0;
    const char *link = NAMES[p[2] % ARRAY_LEN(NAMES)];
    header(block, type, NAMES[p[1] % ARRAY_LEN(NAMES)], link, size);
    return layer_feed(l, block, size ? 1024 : 512, NULL) == 0;
}

static void saved_tree(const u8 *p, size_t n, const struct blob_store *store, u64 size) {
    struct err err = {0};
    struct imgtree *t = imgtree_load(p, n, store, size, &err);
    assert(t || err.code);
    if (t) check(t);
    imgtree_destroy(t);
}

int LLVMFuzzerTestOneInput(const u8 *p, size_t n) {
    u64 size = 0;
    struct blob_store store = {&size, store_append, store_read};
    if (n && p[0] == 0xff) {
        size = 1 << 20;
        saved_tree(p + 1, n - 1, &store, size);
        return 0;
    }
    struct imgtree *t = imgtree_create(&store);
    struct layer_limits limits = {.max_unpacked = 1 << 20, .max_files = 1000};
    u32 number = 1;
    struct layer *l = layer_create(t, number, &limits);
    for (size_t at = 0; at + 3 <= n; at += 3) {
        bool next = p[at] >= 240;
        // A failed layer is over; its tree must still be whole.
        if (!next && entry(l, p + at)) continue;
        layer_destroy(l);
        check(t);
        l = layer_create(t, ++number, &limits);
    }
    layer_destroy(l);
    check(t);
    struct buf a = {0}, b = {0};
    struct err err = {0};
    assert(imgtree_save(t, &a, &err) == 0);
    struct imgtree *loaded = imgtree_load(a.data, a.len, &store, size, &err);
    assert(loaded);
    check(loaded);
    assert(imgtree_save(loaded, &b, &err) == 0 && a.len == b.len && !memcmp(a.data, b.data, a.len));
    buf_free(&a);
    buf_free(&b);
    imgtree_destroy(loaded);
    imgtree_destroy(t);
    return 0;
}
