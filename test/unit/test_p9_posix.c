// The host directory back end through the server: POSIX's questions, escapes, what the host
// changes. A test is one program found by folder, so the client is included, not linked.
#include "test/p9/cases.c"
#include "test/p9/client.c"

#include <sys/prctl.h>
#include <sys/stat.h>

#include <sys/wait.h>
#include <unistd.h>

struct box {
    char dir[64];
    struct fs *fs;
    struct p9c c;
};

static void box_open(struct box *b, bool readonly) {
    struct err err;
    strcpy(b->dir, "/tmp/berth-p9-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    b->fs = fs_posix_create(b->dir, readonly, &err);
    assert_non_null(b->fs);
    p9c_init(&b->c, b->fs, 16384, NULL, NULL);
}

static void box_close(struct box *b) {
    char cmd[128];
    p9c_end(&b->c);
    b->fs->ops->destroy(b->fs);
    snprintf(cmd, sizeof cmd, "rm -rf %s %s.out", b->dir, b->dir);
    assert_int_equal(system(cmd), 0);
}

static const char *host_path(const struct box *b, const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", b->dir, name);
    return path;
}

static void posix_cases(void **state) {
    (void)state;
    struct box b;
    if (geteuid() != 0) skip(); // case_attributes gives files away
    box_open(&b, false);
    b.c.gid = 7;
    cases_run(&b.c, (struct caps){.links = true, .xattrs = true, .devices = true});
    box_close(&b);
}

// The user who runs us owns what is made; what the host refuses is refused, with its errno.
static void as_ordinary_user(struct box *b) {
    struct fs_setattr own = {.valid = FS_SET_UID, .uid = 0};
    struct p9_Rgetattr st;
    case_create(&b->c);
    case_truncate(&b->c);
    case_rename(&b->c);
    case_links(&b->c);
    OK(p9c_store(&b->c, "f", "text"));
    OK(p9c_stat(&b->c, "f", &st));
    assert_int_equal(st.uid, geteuid());
    FAILS(p9c_setattr(&b->c, "f", &own), LX_EPERM);
    own.uid = geteuid();
    OK(p9c_setattr(&b->c, "f", &own));
    FAILS(p9c_mknod(&b->c, "dev", LX_S_IFCHR | 0600, 1, 3), LX_EPERM);
    OK(p9c_chmod(&b->c, "f", 0));
    u32 fid;
    FAILS(p9c_open(&b->c, "f", LX_O_RDONLY, 0, &fid), LX_EACCES);
    OK(p9c_unlink(&b->c, "f"));
}

static void not_root(void **state) {
    (void)state;
    pid_t child = fork();
    if (!child) { // cmocka's failures abort the child
        struct box b;
        if (geteuid() == 0 && (setgid(65534) || setuid(65534))) _exit(2);
        box_open(&b, false);
        as_ordinary_user(&b);
        box_close(&b);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

// Symlinks on the host, absolute or upwards, are shown and never followed.
static void no_escape(void **state) {
    (void)state;
    struct box b;
    char buf[64];
    struct p9_Rgetattr st;
    u32 fid;
    box_open(&b, false);
    assert_int_equal(symlink("/etc", host_path(&b, "abs")), 0);
    assert_int_equal(symlink("../..", host_path(&b, "up")), 0);
    FAILS(p9c_stat(&b.c, "abs/passwd", &st), LX_ENOTDIR);
    FAILS(p9c_stat(&b.c, "up/etc", &st), LX_ENOTDIR);
    FAILS(p9c_store(&b.c, "up/etc", "x"), LX_ENOTDIR);
    FAILS(p9c_open(&b.c, "abs", LX_O_RDONLY, 0, &fid), LX_ELOOP);
    OK(p9c_readlink(&b.c, "abs", buf, sizeof buf));
    assert_string_equal(buf, "/etc");
    // chmod, truncate and times on a link must not reach its target.
    assert_int_equal(symlink("/etc/passwd", host_path(&b, "pw")), 0);
    struct stat before, after;
    assert_int_equal(stat("/etc/passwd", &before), 0);
    FAILS(p9c_chmod(&b.c, "pw", 0777), LX_EOPNOTSUPP);
    FAILS(p9c_truncate(&b.c, "pw", 0), LX_EINVAL);
    struct fs_setattr times = {.valid = FS_SET_MTIME | FS_SET_MTIME_TO, .mtime_s = 5};
    OK(p9c_setattr(&b.c, "pw", &times));
    assert_int_equal(stat("/etc/passwd", &after), 0);
    assert_int_equal(before.st_mode, after.st_mode);
    assert_int_equal(before.st_mtime, after.st_mtime);
    FAILS(p9c_getxattr(&b.c, "pw", "user.x", buf, sizeof buf), LX_ENODATA);
    // A directory moved out of the root by the host leads nowhere through "..".
    OK(p9c_mkdir(&b.c, "d", 0755));
    OK(p9c_walk(&b.c, "d", &fid));
    char out[80];
    snprintf(out, sizeof out, "%s.out", b.dir);
    assert_int_equal(rename(host_path(&b, "d"), out), 0);
    struct p9_msg r, t = {.type = P9_Twalk, .Twalk = {.fid = fid, .newfid = b.c.next_fid++}};
    t.Twalk.names = (struct p9_names){1, {{"..", 2}}};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_ESTALE);
    box_close(&b);
}

static void readonly(void **state) {
    (void)state;
    struct box b;
    u32 fid;
    box_open(&b, true);
    FILE *f = fopen(host_path(&b, "f"), "w");
    assert_non_null(f);
    fputs("text", f);
    fclose(f);
    holds(&b.c, "f", "text");
    FAILS(p9c_open(&b.c, "f", LX_O_RDWR, 0, &fid), LX_EROFS);
    FAILS(p9c_open(&b.c, "f", LX_O_RDONLY | LX_O_TRUNC, 0, &fid), LX_EROFS);
    FAILS(p9c_store(&b.c, "new", "x"), LX_EROFS);
    FAILS(p9c_mkdir(&b.c, "d", 0755), LX_EROFS);
    FAILS(p9c_unlink(&b.c, "f"), LX_EROFS);
    FAILS(p9c_rename(&b.c, "f", "g"), LX_EROFS);
    FAILS(p9c_symlink(&b.c, "f", "g"), LX_EROFS);
    FAILS(p9c_link(&b.c, "f", "g"), LX_EROFS);
    FAILS(p9c_chmod(&b.c, "f", 0), LX_EROFS);
    FAILS(p9c_truncate(&b.c, "f", 0), LX_EROFS);
    FAILS(p9c_mknod(&b.c, "n", LX_S_IFIFO, 0, 0), LX_EROFS);
    FAILS(p9c_setxattr(&b.c, "f", "user.x", "1", 1, 0), LX_EROFS);
    holds(&b.c, "f", "text");
    box_close(&b);
}

static void host_changes(void **state) {
    (void)state;
    struct box b;
    char buf[16];
    u32 fid;
    box_open(&b, false);
    OK(p9c_store(&b.c, "f", "one"));
    OK(p9c_open(&b.c, "f", LX_O_RDONLY, 0, &fid));
    struct p9_Rgetattr before = stat_of(&b.c, "f");
    FILE *f = fopen(host_path(&b, "f"), "w");
    fputs("three", f);
    fclose(f);
    assert_int_equal(p9c_read(&b.c, fid, 0, buf, sizeof buf), 5);
    assert_true(stat_of(&b.c, "f").qid.version != before.qid.version);
    assert_int_equal(rename(host_path(&b, "f"), "/tmp/berth-p9-moved"), 0);
    missing(&b.c, "f");
    assert_int_equal(p9c_read(&b.c, fid, 0, buf, sizeof buf), 5);
    unlink("/tmp/berth-p9-moved");
    assert_int_equal(p9c_read(&b.c, fid, 0, buf, sizeof buf), 5);
    OK(p9c_clunk(&b.c, fid));
    box_close(&b);
}

static void bad_directory(void **state) {
    (void)state;
    struct err err = {0};
    assert_null(fs_posix_create("/nonexistent/berth", false, &err));
    assert_int_equal(err.code, ERR_NOTFOUND);
    assert_non_null(strstr(err.msg, "/nonexistent/berth"));
    assert_null(fs_posix_create("/etc/passwd", false, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(posix_cases),  cmocka_unit_test(not_root),
        cmocka_unit_test(no_escape),    cmocka_unit_test(readonly),
        cmocka_unit_test(host_changes), cmocka_unit_test(bad_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
