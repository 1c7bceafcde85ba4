// The cases of cases.h.
#include "test/p9/cases.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK(call)         assert_int_equal(call, 0)
#define FAILS(call, err) assert_int_equal(call, -(err))

static void holds(struct p9c *c, const char *path, const char *text) {
    char buf[4096];
    int n = p9c_load(c, path, buf, sizeof buf);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(buf, text, (size_t)n);
}

static struct p9_Rgetattr stat_of(struct p9c *c, const char *path) {
    struct p9_Rgetattr st;
    OK(p9c_stat(c, path, &st));
    return st;
}

static void missing(struct p9c *c, const char *path) {
    struct p9_Rgetattr st;
    FAILS(p9c_stat(c, path, &st), LX_ENOENT);
}

static void case_create(struct p9c *c) {
    u32 fid, other;
    struct p9_Rgetattr st;
    OK(p9c_open(c, "new", LX_O_RDWR | LX_O_CREAT | LX_O_EXCL, 0640, &fid));
    OK(p9c_fstat(c, fid, &st));
    assert_int_equal(st.mode, LX_S_IFREG | 0640);
    assert_int_equal(st.size, 0);
    assert_int_equal(st.nlink, 1);
    assert_int_equal(p9c_write(c, fid, 0, "hello", 5), 5);
    assert_int_equal(p9c_write(c, fid, 10, "x", 1), 1);
    OK(p9c_fstat(c, fid, &st));
    assert_int_equal(st.size, 11);
    char buf[16];
    assert_int_equal(p9c_read(c, fid, 0, buf, sizeof buf), 11);
    assert_memory_equal(buf, "hello\0\0\0\0\0x", 11);
    assert_int_equal(p9c_read(c, fid, 11, buf, sizeof buf), 0);
    OK(p9c_fsync(c, fid));
    OK(p9c_clunk(c, fid));
    FAILS(p9c_open(c, "new", LX_O_RDWR | LX_O_CREAT | LX_O_EXCL, 0640, &fid), LX_EEXIST);
    FAILS(p9c_open(c, "no/new", LX_O_RDWR | LX_O_CREAT, 0640, &fid), LX_ENOENT);
    FAILS(p9c_open(c, "new/x", LX_O_RDWR | LX_O_CREAT, 0640, &fid), LX_ENOTDIR);
    // A fid open only for reading does not write, and the other way round.
    OK(p9c_open(c, "new", LX_O_RDONLY, 0, &fid));
    FAILS(p9c_write(c, fid, 0, "x", 1), LX_EBADF);
    OK(p9c_open(c, "new", LX_O_WRONLY, 0, &other));
    FAILS(p9c_read(c, other, 0, buf, 1), LX_EBADF);
    OK(p9c_clunk(c, fid));
    OK(p9c_clunk(c, other));
    FAILS(p9c_clunk(c, fid), LX_EBADF);
    OK(p9c_open(c, "new", LX_O_WRONLY | LX_O_TRUNC, 0, &fid));
    OK(p9c_clunk(c, fid));
    assert_int_equal(stat_of(c, "new").size, 0);
    OK(p9c_unlink(c, "new"));
    missing(c, "new");
}

static void case_names(struct p9c *c) {
    char name[300];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    OK(p9c_mkdir(c, name, 0755));
    OK(p9c_rmdir(c, name));
    name[255] = 'n';
    name[256] = 0;
    FAILS(p9c_mkdir(c, name, 0755), LX_ENAMETOOLONG);
    FAILS(p9c_store(c, name, ""), LX_ENAMETOOLONG);
    FAILS(p9c_mkdir(c, ".", 0755), LX_EINVAL);
    FAILS(p9c_mkdir(c, "..", 0755), LX_EINVAL);
    FAILS(p9c_unlink(c, "nothing"), LX_ENOENT);
    OK(p9c_store(c, "\xc3\xa4 b\n", "umlaut"));
    holds(c, "\xc3\xa4 b\n", "umlaut");
    OK(p9c_unlink(c, "\xc3\xa4 b\n"));
}

static void case_dirs(struct p9c *c) {
    OK(p9c_mkdir(c, "d", 0750));
    struct p9_Rgetattr st = stat_of(c, "d");
    assert_int_equal(st.mode, LX_S_IFDIR | 0750);
    assert_int_equal(st.qid.type, P9_QT_DIR);
    FAILS(p9c_mkdir(c, "d", 0750), LX_EEXIST);
    OK(p9c_store(c, "d/f", "1"));
    FAILS(p9c_mkdir(c, "d/f", 0750), LX_EEXIST);
    FAILS(p9c_mkdir(c, "d/f/x", 0750), LX_ENOTDIR);
    FAILS(p9c_rmdir(c, "d"), LX_ENOTEMPTY);
    FAILS(p9c_unlink(c, "d"), LX_EISDIR);
    FAILS(p9c_rmdir(c, "d/f"), LX_ENOTDIR);
    u32 fid;
    FAILS(p9c_open(c, "d", LX_O_RDWR, 0, &fid), LX_EISDIR);
    OK(p9c_unlink(c, "d/f"));
    OK(p9c_rmdir(c, "d"));
    missing(c, "d");
}

struct listing {
    unsigned count, dots, dirs, files, links;
    bool seen[1000];
};

static void list_one(void *arg, const char *name, u8 dtype, u64 ino) {
    struct listing *l = arg;
    unsigned k;
    assert_true(ino != 0);
    l->count++;
    l->dots += name[0] == '.';
    l->dirs += dtype == LX_DT_DIR;
    l->files += dtype == LX_DT_REG;
    l->links += dtype == LX_DT_LNK;
    if (sscanf(name, "entry-%u", &k) == 1) {
        assert_false(l->seen[k]);
        l->seen[k] = true;
    }
}

static struct p9c *removing_client;
static void remove_one(void *arg, const char *name, u8 dtype, u64 ino) {
    (void)arg, (void)dtype, (void)ino;
    char path[300];
    snprintf(path, sizeof path, "big/%s", name);
    if (name[0] == 'e') OK(p9c_unlink(removing_client, path));
}

static void case_readdir(struct p9c *c) {
    enum { N = 300 };
    char path[64];
    OK(p9c_mkdir(c, "big", 0755));
    for (unsigned i = 0; i < N; i++) {
        snprintf(path, sizeof path, "big/entry-%u", i);
        OK(p9c_store(c, path, ""));
    }
    OK(p9c_mkdir(c, "big/sub", 0755));
    OK(p9c_symlink(c, "nowhere", "big/link"));
    for (u32 count = 300; count <= 8000; count += 3850) { // many small answers, and few large ones
        struct listing l = {0};
        assert_int_equal(p9c_readdir(c, "big", count, list_one, &l), N + 4);
        assert_int_equal(l.dots, 2);
        assert_int_equal(l.dirs, 3);
        assert_int_equal(l.files, N);
        assert_int_equal(l.links, 1);
        for (unsigned i = 0; i < N; i++) assert_true(l.seen[i]);
    }
    // No room for even one entry must not look like an empty directory.
    FAILS(p9c_readdir(c, "big", 10, NULL, NULL), LX_EINVAL);
    FAILS(p9c_readdir(c, "big/entry-0", 4096, NULL, NULL), LX_ENOTDIR);
    // rm -rf: removing while reading must meet every entry.
    removing_client = c;
    p9c_readdir(c, "big", 500, remove_one, NULL);
    OK(p9c_unlink(c, "big/link"));
    OK(p9c_rmdir(c, "big/sub"));
    assert_int_equal(p9c_readdir(c, "big", 4096, NULL, NULL), 2);
    OK(p9c_rmdir(c, "big"));
}

static void case_symlinks(struct p9c *c) {
    char buf[5000], long_target[4200];
    u32 fid;
    OK(p9c_symlink(c, "some/target", "l"));
    OK(p9c_readlink(c, "l", buf, sizeof buf));
    assert_string_equal(buf, "some/target");
    struct p9_Rgetattr st = stat_of(c, "l");
    assert_int_equal(st.mode & LX_S_IFMT, LX_S_IFLNK);
    assert_int_equal(st.qid.type, P9_QT_SYMLINK);
    assert_int_equal(st.size, 11);
    FAILS(p9c_symlink(c, "x", "l"), LX_EEXIST);
    FAILS(p9c_open(c, "l", LX_O_RDONLY, 0, &fid), LX_ELOOP);
    FAILS(p9c_stat(c, "l/x", &st), LX_ENOTDIR);
    FAILS(p9c_mkdir(c, "l", 0755), LX_EEXIST);
    OK(p9c_rename(c, "l", "l2"));
    missing(c, "l");
    OK(p9c_readlink(c, "l2", buf, sizeof buf));
    assert_string_equal(buf, "some/target");
    OK(p9c_unlink(c, "l2"));
    memset(long_target, 't', sizeof long_target);
    long_target[4095] = 0;
    OK(p9c_symlink(c, long_target, "long"));
    OK(p9c_readlink(c, "long", buf, sizeof buf));
    assert_string_equal(buf, long_target);
    OK(p9c_unlink(c, "long"));
    long_target[4095] = 't';
    long_target[4096] = 0;
    FAILS(p9c_symlink(c, long_target, "long"), LX_ENAMETOOLONG);
    FAILS(p9c_symlink(c, "", "empty"), LX_ENOENT);
    OK(p9c_store(c, "f", "x"));
    FAILS(p9c_readlink(c, "f", buf, sizeof buf), LX_EINVAL);
    OK(p9c_symlink(c, "f", "s"));
    OK(p9c_rename(c, "s", "f")); // a link over a file
    assert_int_equal(stat_of(c, "f").mode & LX_S_IFMT, LX_S_IFLNK);
    OK(p9c_store(c, "g", "g"));
    OK(p9c_rename(c, "g", "f")); // a file over a link
    holds(c, "f", "g");
    OK(p9c_unlink(c, "f"));
}

// rename(2)'s matrix: what onto what.
static void case_rename(struct p9c *c) {
    OK(p9c_store(c, "a", "A"));
    OK(p9c_rename(c, "a", "b"));
    missing(c, "a");
    holds(c, "b", "A");
    FAILS(p9c_rename(c, "a", "c"), LX_ENOENT);
    FAILS(p9c_rename(c, "b", "no/c"), LX_ENOENT);
    OK(p9c_rename(c, "b", "b"));
    OK(p9c_store(c, "c", "C"));
    u64 ino = stat_of(c, "b").qid.path;
    OK(p9c_rename(c, "b", "c")); // onto an existing file
    holds(c, "c", "A");
    missing(c, "b");
    assert_int_equal(stat_of(c, "c").qid.path, ino);
    OK(p9c_mkdir(c, "d1", 0755));
    OK(p9c_mkdir(c, "d2", 0755));
    FAILS(p9c_rename(c, "c", "d1"), LX_EISDIR);
    FAILS(p9c_rename(c, "d1", "c"), LX_ENOTDIR);
    OK(p9c_rename(c, "d1", "d2")); // onto an empty directory
    missing(c, "d1");
    OK(p9c_mkdir(c, "d1", 0755));
    OK(p9c_store(c, "d2/f", "F"));
    FAILS(p9c_rename(c, "d1", "d2"), LX_ENOTEMPTY);
    FAILS(p9c_rename(c, "d2", "d2/sub"), LX_EINVAL);
    OK(p9c_rename(c, "d2", "d1/moved"));
    holds(c, "d1/moved/f", "F");
    OK(p9c_rename(c, "d1/moved/f", "c")); // across directories, onto a file
    holds(c, "c", "F");
    OK(p9c_rmdir(c, "d1/moved"));
    OK(p9c_rmdir(c, "d1"));
    OK(p9c_unlink(c, "c"));
}

// A fid keeps meaning its file through renames of it and of the directories above.
static void case_rename_open(struct p9c *c) {
    u32 fid, dir;
    struct p9_Rgetattr st;
    char buf[16];
    OK(p9c_mkdir(c, "d", 0755));
    OK(p9c_open(c, "d/f", LX_O_RDWR | LX_O_CREAT, 0644, &fid));
    OK(p9c_walk(c, "d", &dir));
    assert_int_equal(p9c_write(c, fid, 0, "one", 3), 3);
    OK(p9c_rename(c, "d", "e"));
    assert_int_equal(p9c_write(c, fid, 3, "two", 3), 3);
    OK(p9c_rename(c, "e/f", "g"));
    assert_int_equal(p9c_write(c, fid, 6, "three", 5), 5);
    OK(p9c_fsync(c, fid));
    holds(c, "g", "onetwothree");
    // A new d is not the old one.
    OK(p9c_mkdir(c, "d", 0755));
    struct p9_msg r, t = {.type = P9_Tmkdir, .Tmkdir = {dir, {"in", 2}, 0755, 0, 0}};
    OK(p9c_rpc(c, &t, &r));
    OK(p9c_rmdir(c, "e/in"));
    // Replaced, the open file is still there for its fid.
    OK(p9c_store(c, "h", "H"));
    OK(p9c_rename(c, "h", "g"));
    assert_int_equal(p9c_read(c, fid, 0, buf, sizeof buf), 11);
    assert_memory_equal(buf, "onetwothree", 11);
    OK(p9c_fstat(c, fid, &st));
    assert_int_equal(st.nlink, 0);
    holds(c, "g", "H");
    OK(p9c_clunk(c, fid));
    OK(p9c_clunk(c, dir));
    OK(p9c_rmdir(c, "d"));
    OK(p9c_rmdir(c, "e"));
    OK(p9c_unlink(c, "g"));
}

static void case_unlink_open(struct p9c *c) {
    u32 fid, again;
    char buf[16];
    struct p9_Rgetattr st;
    OK(p9c_store(c, "f", "content"));
    OK(p9c_open(c, "f", LX_O_RDWR, 0, &fid));
    OK(p9c_unlink(c, "f"));
    missing(c, "f");
    assert_int_equal(p9c_read(c, fid, 0, buf, sizeof buf), 7);
    assert_memory_equal(buf, "content", 7);
    assert_int_equal(p9c_write(c, fid, 7, "!", 1), 1);
    struct fs_setattr cut = {.valid = FS_SET_SIZE, .size = 4};
    OK(p9c_fsetattr(c, fid, &cut));
    assert_int_equal(p9c_read(c, fid, 0, buf, sizeof buf), 4);
    OK(p9c_fsync(c, fid));
    OK(p9c_fstat(c, fid, &st));
    assert_int_equal(st.nlink, 0);
    assert_int_equal(st.size, 4);
    // The same name anew is another file.
    OK(p9c_open(c, "f", LX_O_RDWR | LX_O_CREAT | LX_O_EXCL, 0600, &again));
    assert_int_equal(p9c_write(c, again, 0, "new", 3), 3);
    assert_int_equal(p9c_read(c, fid, 0, buf, sizeof buf), 4);
    OK(p9c_clunk(c, fid));
    OK(p9c_clunk(c, again));
    holds(c, "f", "new");
    OK(p9c_unlink(c, "f"));
}

static void case_attributes(struct p9c *c) {
    OK(p9c_store(c, "f", "x"));
    OK(p9c_chmod(c, "f", 04755));
    assert_int_equal(stat_of(c, "f").mode, LX_S_IFREG | 04755);
    OK(p9c_chmod(c, "f", 0));
    assert_int_equal(stat_of(c, "f").mode, LX_S_IFREG);
    OK(p9c_chmod(c, "f", 0644));
    struct fs_setattr own = {.valid = FS_SET_UID | FS_SET_GID, .uid = 1234, .gid = 5678};
    OK(p9c_setattr(c, "f", &own));
    struct p9_Rgetattr st = stat_of(c, "f");
    assert_int_equal(st.uid, 1234);
    assert_int_equal(st.gid, 5678);
    struct fs_setattr times = {
        .valid = FS_SET_ATIME | FS_SET_ATIME_TO | FS_SET_MTIME | FS_SET_MTIME_TO,
        .atime_s = 1000000000,
        .atime_ns = 111000000,
        .mtime_s = 1100000000,
        .mtime_ns = 222000000,
    };
    OK(p9c_setattr(c, "f", &times));
    st = stat_of(c, "f");
    assert_int_equal(st.atime_s, 1000000000);
    assert_int_equal(st.atime_ns, 111000000);
    assert_int_equal(st.mtime_s, 1100000000);
    assert_int_equal(st.mtime_ns, 222000000);
    struct fs_setattr now = {.valid = FS_SET_MTIME};
    OK(p9c_setattr(c, "f", &now));
    assert_true(stat_of(c, "f").mtime_s > 1500000000);
    times.mtime_ns = 1000000000;
    FAILS(p9c_setattr(c, "f", &times), LX_EINVAL);
    // What is written is seen in mtime and in the qid's version.
    u32 before = stat_of(c, "f").qid.version;
    OK(p9c_store(c, "f", "longer"));
    assert_true(stat_of(c, "f").qid.version != before);
    OK(p9c_unlink(c, "f"));
}

static void case_truncate(struct p9c *c) {
    char buf[32];
    OK(p9c_store(c, "f", "0123456789"));
    OK(p9c_truncate(c, "f", 4));
    holds(c, "f", "0123");
    OK(p9c_truncate(c, "f", 8));
    assert_int_equal(p9c_load(c, "f", buf, sizeof buf), 8);
    assert_memory_equal(buf, "0123\0\0\0\0", 8);
    OK(p9c_truncate(c, "f", 0));
    holds(c, "f", "");
    OK(p9c_mkdir(c, "d", 0755));
    FAILS(p9c_truncate(c, "d", 0), LX_EISDIR);
    OK(p9c_rmdir(c, "d"));
    OK(p9c_unlink(c, "f"));
    // Open for writing, though its mode forbids to open it so again.
    u32 fid;
    OK(p9c_open(c, "ro", LX_O_RDWR | LX_O_CREAT, 0444, &fid));
    assert_int_equal(p9c_write(c, fid, 0, "abc", 3), 3);
    struct fs_setattr cut = {.valid = FS_SET_SIZE, .size = 1};
    OK(p9c_fsetattr(c, fid, &cut));
    OK(p9c_clunk(c, fid));
    holds(c, "ro", "a");
    OK(p9c_unlink(c, "ro"));
}

static void case_links(struct p9c *c) {
    OK(p9c_store(c, "f", "x"));
    OK(p9c_link(c, "f", "g"));
    assert_int_equal(stat_of(c, "f").nlink, 2);
    assert_int_equal(stat_of(c, "f").qid.path, stat_of(c, "g").qid.path);
    FAILS(p9c_link(c, "f", "g"), LX_EEXIST);
    OK(p9c_mkdir(c, "d", 0755));
    FAILS(p9c_link(c, "d", "e"), LX_EPERM);
    OK(p9c_symlink(c, "f", "s"));
    OK(p9c_link(c, "s", "d/s2")); // the link itself
    assert_int_equal(stat_of(c, "d/s2").mode & LX_S_IFMT, LX_S_IFLNK);
    OK(p9c_unlink(c, "f"));
    assert_int_equal(stat_of(c, "g").nlink, 1);
    holds(c, "g", "x");
    OK(p9c_unlink(c, "g"));
    OK(p9c_unlink(c, "s"));
    OK(p9c_unlink(c, "d/s2"));
    OK(p9c_rmdir(c, "d"));
}

static void case_nodes(struct p9c *c, bool devices) {
    u32 fid;
    OK(p9c_mknod(c, "fifo", LX_S_IFIFO | 0600, 0, 0));
    OK(p9c_mknod(c, "sock", LX_S_IFSOCK | 0600, 0, 0));
    assert_int_equal(stat_of(c, "fifo").mode, LX_S_IFIFO | 0600);
    assert_int_equal(stat_of(c, "sock").mode, LX_S_IFSOCK | 0600);
    FAILS(p9c_open(c, "fifo", LX_O_RDONLY, 0, &fid), LX_ENXIO); // the guest opens its own
    FAILS(p9c_open(c, "fifo", LX_O_WRONLY | LX_O_CREAT, 0600, &fid), LX_ENXIO);
    FAILS(p9c_mknod(c, "fifo", LX_S_IFIFO | 0600, 0, 0), LX_EEXIST);
    OK(p9c_mknod(c, "reg", LX_S_IFREG | 0600, 0, 0));
    holds(c, "reg", "");
    if (devices) {
        OK(p9c_mknod(c, "dev", LX_S_IFCHR | 0600, 1, 300));
        assert_int_equal(stat_of(c, "dev").mode, LX_S_IFCHR | 0600);
        assert_int_equal(stat_of(c, "dev").rdev, 1 << 8 | 44 | 256 << 12);
        OK(p9c_unlink(c, "dev"));
    }
    OK(p9c_unlink(c, "fifo"));
    OK(p9c_unlink(c, "sock"));
    OK(p9c_unlink(c, "reg"));
}

static void case_xattrs(struct p9c *c) {
    char buf[128];
    OK(p9c_store(c, "f", "x"));
    FAILS(p9c_getxattr(c, "f", "user.one", buf, sizeof buf), LX_ENODATA);
    OK(p9c_setxattr(c, "f", "user.one", "value", 5, LX_XATTR_CREATE));
    FAILS(p9c_setxattr(c, "f", "user.one", "value", 5, LX_XATTR_CREATE), LX_EEXIST);
    OK(p9c_setxattr(c, "f", "user.two", "2", 1, 0));
    OK(p9c_setxattr(c, "f", "user.empty", "", 0, 0));
    assert_int_equal(p9c_getxattr(c, "f", "user.one", buf, sizeof buf), 5);
    assert_memory_equal(buf, "value", 5);
    assert_int_equal(p9c_getxattr(c, "f", "user.empty", buf, sizeof buf), 0);
    int n = p9c_getxattr(c, "f", "", buf, sizeof buf); // the list
    assert_true(n >= 9 + 9 + 11);
    OK(p9c_setxattr(c, "f", "user.one", "", 0, LX_XATTR_REPLACE)); // removes
    FAILS(p9c_getxattr(c, "f", "user.one", buf, sizeof buf), LX_ENODATA);
    OK(p9c_unlink(c, "f"));
}

static void case_statfs(struct p9c *c) {
    struct p9_msg r, t = {.type = P9_Tstatfs, .Tstatfs.fid = c->root};
    OK(p9c_rpc(c, &t, &r));
    assert_true(r.Rstatfs.bsize && r.Rstatfs.blocks >= r.Rstatfs.bfree && r.Rstatfs.bavail);
    assert_int_equal(r.Rstatfs.namelen, 255);
}

// Tremove and Trename, by fid, as older clients do.
static void case_by_fid(struct p9c *c) {
    u32 fid, other;
    OK(p9c_mkdir(c, "d", 0755));
    OK(p9c_store(c, "f", "x"));
    OK(p9c_walk(c, "f", &fid));
    struct p9_msg r, t = {.type = P9_Trename, .Trename = {fid, c->root, {"g", 1}, 0}};
    OK(p9c_rpc(c, &t, &r));
    missing(c, "f");
    OK(p9c_rename(c, "g", "d/h")); // the fid learns of it
    t = (struct p9_msg){.type = P9_Tremove, .Tremove.fid = fid};
    OK(p9c_rpc(c, &t, &r));
    missing(c, "d/h");
    FAILS(p9c_clunk(c, fid), LX_EBADF);
    // What took the name since is not removed.
    OK(p9c_store(c, "f", "old"));
    OK(p9c_walk(c, "f", &fid));
    OK(p9c_unlink(c, "f"));
    OK(p9c_mkdir(c, "f", 0755));
    t.Tremove.fid = fid;
    FAILS(p9c_rpc(c, &t, &r), LX_ENOENT);
    OK(p9c_rmdir(c, "f"));
    OK(p9c_walk(c, "d", &other));
    t.Tremove.fid = other;
    OK(p9c_rpc(c, &t, &r));
    missing(c, "d");
    OK(p9c_walk(c, "", &fid));
    t.Tremove.fid = fid;
    FAILS(p9c_rpc(c, &t, &r), LX_EBUSY);
}

static void case_walk(struct p9c *c) {
    u32 fid = c->next_fid++;
    OK(p9c_mkdir(c, "a", 0755));
    OK(p9c_mkdir(c, "a/b", 0755));
    OK(p9c_store(c, "a/b/f", "x"));
    struct p9_msg r, t = {.type = P9_Twalk, .Twalk = {.fid = c->root, .newfid = fid}};
    t.Twalk.names = (struct p9_names){5, {{"a", 1}, {"b", 1}, {"..", 2}, {"b", 1}, {"f", 1}}};
    OK(p9c_rpc(c, &t, &r));
    assert_int_equal(r.Rwalk.qids.n, 5);
    assert_int_equal(r.Rwalk.qids.q[0].path, r.Rwalk.qids.q[2].path);
    assert_int_equal(r.Rwalk.qids.q[4].type, P9_QT_FILE);
    OK(p9c_clunk(c, fid));
    // Stops at the first that is not there; no fid then.
    t.Twalk.names = (struct p9_names){3, {{"a", 1}, {"x", 1}, {"f", 1}}};
    OK(p9c_rpc(c, &t, &r));
    assert_int_equal(r.Rwalk.qids.n, 1);
    FAILS(p9c_clunk(c, fid), LX_EBADF);
    t.Twalk.names = (struct p9_names){1, {{"x", 1}}};
    FAILS(p9c_rpc(c, &t, &r), LX_ENOENT);
    // ".." of the root is the root, however often.
    t.Twalk.names = (struct p9_names){3, {{"..", 2}, {"..", 2}, {"a", 1}}};
    OK(p9c_rpc(c, &t, &r));
    assert_int_equal(r.Rwalk.qids.n, 3);
    assert_int_equal(r.Rwalk.qids.q[2].path, stat_of(c, "a").qid.path);
    OK(p9c_clunk(c, fid));
    // Onto itself.
    OK(p9c_walk(c, "a", &fid));
    t.Twalk = (struct p9_Twalk){.fid = fid, .newfid = fid, .names = {2, {{"b", 1}, {"f", 1}}}};
    OK(p9c_rpc(c, &t, &r));
    struct p9_Rgetattr st;
    OK(p9c_fstat(c, fid, &st));
    assert_int_equal(st.mode & LX_S_IFMT, LX_S_IFREG);
    OK(p9c_clunk(c, fid));
    OK(p9c_unlink(c, "a/b/f"));
    OK(p9c_rmdir(c, "a/b"));
    OK(p9c_rmdir(c, "a"));
}

void cases_run(struct p9c *c, struct caps caps) {
    case_create(c);
    case_names(c);
    case_dirs(c);
    case_readdir(c);
    case_symlinks(c);
    case_rename(c);
    case_rename_open(c);
    case_unlink_open(c);
    case_attributes(c);
    case_truncate(c);
    if (caps.links) case_links(c);
    case_nodes(c, caps.devices);
    if (caps.xattrs) case_xattrs(c);
    case_statfs(c);
    case_by_fid(c);
    case_walk(c);
    assert_int_equal(p9c_readdir(c, "", 4096, NULL, NULL), 2);
}
