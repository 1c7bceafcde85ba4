// Prints the unpacked tree of an image, one line a name, for comparison with other unpackers:
//   type mode uid gid mtime size ino nlink rdev content path link xattrs     (tab separated, \xNN
//   escapes)
// Usage: oci_dump IMAGE [ARCH]; on error the message goes to stderr and the status is 1.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/posix/blob_store.h"
#include "host/posix/oci_source.h"
#include "oci/digest.h"
#include "oci/imgtree.h"

static void put_escaped(const void *p, size_t n) {
    const u8 *s = p;
    for (size_t i = 0; i < n; i++)
        if (s[i] <= ' ' || s[i] >= 0x7f || s[i] == '\\' || s[i] == '=' || s[i] == ',')
            printf("\\x%02x", s[i]);
        else
            putchar(s[i]);
}

static void put_content(const struct imgtree *t, u32 ino) {
    static u8 block[1 << 16];
    struct digest d;
    char text[DIGEST_TEXT];
    digest_begin(&d);
    i64 n;
    for (u64 off = 0; (n = imgtree_read(t, ino, off, block, sizeof block)) > 0; off += (u64)n)
        digest_add(&d, block, (size_t)n);
    digest_end(&d, text);
    fputs(n < 0 ? "unreadable" : text, stdout);
}

static char type_char(u32 mode) {
    switch (mode & 0170000) {
    case 0100000:
        return 'f';
    case 0040000:
        return 'd';
    case 0120000:
        return 'l';
    case 0020000:
        return 'c';
    case 0060000:
        return 'b';
    case 0010000:
        return 'p';
    default:
        return '?';
    }
}

static void put_line(const struct imgtree *t, u32 ino, const char *path) {
    struct imgtree_stat st;
    if (!imgtree_stat(t, ino, &st)) exit(3);
    char type = type_char(st.mode);
    printf("%c\t%o\t%u\t%u\t%lld\t%llu\t%u\t%u\t%llx\t", type, st.mode & 07777, st.uid, st.gid,
           (long long)st.mtime_s, (unsigned long long)st.size, ino, st.nlink,
           (unsigned long long)st.rdev);
    if (type == 'f')
        put_content(t, ino);
    else
        putchar('-');
    putchar('\t');
    put_escaped(path, strlen(path));
    putchar('\t');
    size_t len;
    const char *link = imgtree_readlink(t, ino, &len);
    if (link) put_escaped(link, len);
    putchar('\t');
    struct imgtree_xattr x;
    for (u32 pos = 0, k = 0; imgtree_xattr_next(t, ino, &pos, &x); k++) {
        if (k) putchar(',');
        put_escaped(x.name, strlen(x.name));
        putchar('=');
        put_escaped(x.value, x.len);
    }
    putchar('\n');
}

static void dump(const struct imgtree *t, u32 dir, const char *path) {
    struct imgtree_dirent de;
    for (u64 c = 0; imgtree_readdir(t, dir, c, &de); c = de.next) {
        size_t n = strlen(path) + de.len + 2;
        char *sub = malloc(n);
        if (!sub) exit(3);
        snprintf(sub, n, "%s/%s", path, de.name);
        put_line(t, de.ino, sub);
        if ((de.mode & 0170000) == 0040000) dump(t, de.ino, sub);
        free(sub);
    }
}

int main(int argc, char **argv) {
    struct blob_store store;
    struct oci_config *config;
    struct imgtree *tree;
    struct err err = {0};
    if (argc < 2 || argc > 3) return 2;
    if (posix_load_image(argv[1], argc > 2 ? argv[2] : NULL, &store, NULL, NULL, NULL, &config,
                         &tree, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    put_line(tree, IMGTREE_ROOT, "/");
    dump(tree, IMGTREE_ROOT, "");
    struct imgtree_usage u;
    imgtree_usage(tree, &u);
    fprintf(stderr, "%u inodes, %u names, %llu KiB stored, %llu KiB of memory\n", u.inodes, u.names,
            (unsigned long long)(u.stored >> 10), (unsigned long long)(u.memory >> 10));
    imgtree_destroy(tree);
    posix_store_close(&store);
    oci_config_free(config);
    return 0;
}
