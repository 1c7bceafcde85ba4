// The asynchronous remote back end through the server, against a host that answers later and in any
// order. A test is one program found by folder, so its helpers are included, not linked.
#include "test/p9/cases.c"
#include "test/p9/client.c"
#include "test/p9/fake_host.c"

struct box {
    struct fake_host h;
    struct p9c c;
    struct log log;
    unsigned warnings;
    char last[1024];
};

static void on_log(void *arg, enum log_level level, const char *msg) {
    struct box *b = arg;
    b->warnings += level <= LOG_WARN;
    snprintf(b->last, sizeof b->last, "%s", msg);
}

static void box_open(struct box *b, u32 seed) {
    memset(b, 0, sizeof *b);
    b->log = (struct log){.write = on_log, .arg = b, .max = LOG_WARN};
    fake_init(&b->h, seed, &b->log);
    p9c_init(&b->c, b->h.fs, 16384, fake_pump, &b->h);
}

static void box_close(struct box *b) {
    p9c_end(&b->c);
    fake_end(&b->h);
}

static void host_has(struct box *b, const char *path, const char *text) {
    struct fake_file *f = fake_find(&b->h, path);
    assert_non_null(f);
    assert_int_equal(f->len, strlen(text));
    assert_memory_equal(f->data, text, f->len);
}

static void remote_cases(void **state) {
    (void)state;
    for (u32 seed = 1; seed <= 20; seed++) {
        struct box b;
        box_open(&b, seed);
        b.c.gid = 7;
        cases_run(&b.c, (struct caps){.devices = true});
        fake_settle(&b.h);
        assert_int_equal(b.h.count, 0); // nothing is left at the host either
        box_close(&b);
    }
}

static void guest_to_editor(void **state) {
    (void)state;
    struct box b;
    u32 fid;
    box_open(&b, 3);
    OK(p9c_mkdir(&b.c, "src", 0755));
    assert_non_null(fake_find(&b.h, "src"));
    OK(p9c_store(&b.c, "src/a.c", "int a;"));
    fake_settle(&b.h);
    host_has(&b, "src/a.c", "int a;");
    // Many small writes are one request.
    unsigned before = b.h.nrequests[REMOTE_WRITE];
    OK(p9c_open(&b.c, "log", LX_O_WRONLY | LX_O_CREAT, 0644, &fid));
    for (unsigned i = 0; i < 100; i++) assert_int_equal(p9c_write(&b.c, fid, i, "x", 1), 1);
    OK(p9c_fsync(&b.c, fid));
    assert_int_equal(fake_find(&b.h, "log")->len, 100);
    OK(p9c_clunk(&b.c, fid));
    fake_settle(&b.h);
    assert_true(b.h.nrequests[REMOTE_WRITE] - before < 20);
    // Without fsync or close, after the delay.
    OK(p9c_open(&b.c, "log", LX_O_WRONLY, 0, &fid));
    assert_int_equal(p9c_write(&b.c, fid, 100, "y", 1), 1);
    for (unsigned i = 0; i < 200; i++) fake_pump(&b.h);
    assert_int_equal(fake_find(&b.h, "log")->len, 101);
    OK(p9c_clunk(&b.c, fid));
    // Rename over, remove.
    OK(p9c_store(&b.c, "tmp", "int b;"));
    OK(p9c_rename(&b.c, "tmp", "src/a.c"));
    fake_settle(&b.h);
    host_has(&b, "src/a.c", "int b;");
    assert_null(fake_find(&b.h, "tmp"));
    OK(p9c_rename(&b.c, "src", "lib"));
    host_has(&b, "lib/a.c", "int b;");
    OK(p9c_unlink(&b.c, "lib/a.c"));
    assert_null(fake_find(&b.h, "lib/a.c"));
    assert_int_equal(b.warnings, 0);
    box_close(&b);
}

static void editor_to_guest(void **state) {
    (void)state;
    struct box b;
    char buf[16];
    u32 fid;
    box_open(&b, 4);
    fake_edit(&b.h, "f", "one", false);
    holds(&b.c, "f", "one");
    struct p9_Rgetattr before = stat_of(&b.c, "f");
    OK(p9c_open(&b.c, "f", LX_O_RDWR, 0, &fid));
    assert_int_equal(p9c_read(&b.c, fid, 0, buf, sizeof buf), 3);
    fake_edit(&b.h, "f", "three", false);
    struct p9_Rgetattr after = stat_of(&b.c, "f");
    assert_int_equal(after.size, 5);
    assert_true(after.qid.version != before.qid.version);
    assert_int_equal(after.qid.path, before.qid.path);
    assert_true(after.mtime_s * 1000000000 + after.mtime_ns >
                before.mtime_s * 1000000000 + before.mtime_ns);
    assert_int_equal(p9c_read(&b.c, fid, 0, buf, sizeof buf), 5);
    assert_memory_equal(buf, "three", 5);
    // Appending to what was saved meanwhile loses nothing of it, event or not.
    fake_edit(&b.h, "f", "edited", true);
    fake_sleep(&b.h, 3000);
    OK(p9c_fstat(&b.c, fid, &after));
    assert_int_equal(after.size, 6);
    assert_int_equal(p9c_write(&b.c, fid, after.size, "+", 1), 1);
    OK(p9c_fsync(&b.c, fid));
    host_has(&b, "f", "edited+");
    OK(p9c_clunk(&b.c, fid));
    // New names, gone names.
    missing(&b.c, "g");
    fake_edit(&b.h, "g", "G", false);
    holds(&b.c, "g", "G");
    fake_remove(&b.h, "g");
    missing(&b.c, "g");
    fake_edit_dir(&b.h, "d");
    fake_edit(&b.h, "d/x", "X", false);
    assert_int_equal(p9c_readdir(&b.c, "d", 4096, NULL, NULL), 3);
    holds(&b.c, "d/x", "X");
    fake_remove(&b.h, "d");
    missing(&b.c, "d/x");
    // A file becomes a directory.
    fake_remove(&b.h, "f");
    fake_edit_dir(&b.h, "f");
    assert_int_equal(stat_of(&b.c, "f").mode & LX_S_IFMT, LX_S_IFDIR);
    // A change that no event told of is seen after a while.
    fake_edit(&b.h, "quiet", "1", false);
    holds(&b.c, "quiet", "1");
    fake_edit(&b.h, "quiet", "22", true);
    fake_sleep(&b.h, 3000);
    holds(&b.c, "quiet", "22");
    box_close(&b);
}

static void vanishes_while_open(void **state) {
    (void)state;
    struct box b;
    struct p9_Rgetattr st;
    char buf[16];
    u32 fid, unread;
    box_open(&b, 5);
    fake_edit(&b.h, "f", "keep", false);
    fake_edit(&b.h, "u.txt", "unread", false);
    OK(p9c_open(&b.c, "f", LX_O_RDWR, 0, &fid));
    OK(p9c_open(&b.c, "u.txt", LX_O_WRONLY, 0, &unread));
    assert_int_equal(p9c_read(&b.c, fid, 0, buf, sizeof buf), 4);
    fake_remove(&b.h, "f");
    fake_remove(&b.h, "u.txt");
    missing(&b.c, "f");
    assert_int_equal(p9c_read(&b.c, fid, 0, buf, sizeof buf), 4);
    assert_memory_equal(buf, "keep", 4);
    OK(p9c_fstat(&b.c, fid, &st));
    assert_int_equal(st.nlink, 0);
    assert_int_equal(p9c_write(&b.c, fid, 4, "!", 1), 1); // to a file without a name
    OK(p9c_fsync(&b.c, fid));
    assert_null(fake_find(&b.h, "f"));
    // Its content was never here: cleanly stale.
    FAILS(p9c_write(&b.c, unread, 0, "x", 1), LX_ESTALE);
    OK(p9c_clunk(&b.c, fid));
    OK(p9c_clunk(&b.c, unread));
    fake_settle(&b.h);
    assert_int_equal(b.h.count, 0);
    box_close(&b);
}

static void removed_while_dirty(void **state) {
    (void)state;
    struct box b;
    u32 fid;
    box_open(&b, 6);
    fake_edit(&b.h, "f", "old", false);
    OK(p9c_open(&b.c, "f", LX_O_RDWR, 0, &fid));
    assert_int_equal(p9c_write(&b.c, fid, 0, "new", 3), 3);
    fake_remove(&b.h, "f");
    assert_int_equal(p9c_readdir(&b.c, "", 4096, NULL, NULL), 3);
    OK(p9c_fsync(&b.c, fid));
    host_has(&b, "f", "new"); // the guest's last write wins
    OK(p9c_clunk(&b.c, fid));
    // Both change it: the guest's version stays, whole, and the log says so.
    fake_sleep(&b.h, 5000);
    OK(p9c_open(&b.c, "f", LX_O_RDWR, 0, &fid));
    b.warnings = 0;
    assert_int_equal(p9c_write(&b.c, fid, 3, "+guest", 6), 6);
    fake_edit(&b.h, "f", "editor", false);
    assert_int_equal(b.warnings, 1);
    assert_non_null(strstr(b.last, "f was changed outside"));
    OK(p9c_clunk(&b.c, fid));
    fake_settle(&b.h);
    host_has(&b, "f", "new+guest");
    holds(&b.c, "f", "new+guest");
    box_close(&b);
}

static void modes(void **state) {
    (void)state;
    struct box b;
    box_open(&b, 7);
    fake_edit(&b.h, "plain.txt", "text", false);
    fake_edit(&b.h, "run.sh", "echo", false);
    fake_edit(&b.h, "configure", "#!/bin/sh\n", false);
    fake_edit(&b.h, "Makefile", "all:\n", false);
    fake_edit(&b.h, "prog.bin",
              "\x7f"
              "ELF....",
              false);
    fake_edit_dir(&b.h, ".git");
    fake_edit(&b.h, ".git/abcdef", "#! not looked at", false);
    assert_int_equal(stat_of(&b.c, "plain.txt").mode, LX_S_IFREG | 0644);
    assert_int_equal(stat_of(&b.c, "run.sh").mode, LX_S_IFREG | 0755);
    assert_int_equal(stat_of(&b.c, "configure").mode, LX_S_IFREG | 0755);
    assert_int_equal(stat_of(&b.c, "Makefile").mode, LX_S_IFREG | 0644);
    assert_int_equal(stat_of(&b.c, "prog.bin").mode, LX_S_IFREG | 0644);
    holds(&b.c, "prog.bin",
          "\x7f"
          "ELF....");
    assert_int_equal(stat_of(&b.c, "prog.bin").mode, LX_S_IFREG | 0755);
    unsigned reads = b.h.nrequests[REMOTE_READ];
    assert_int_equal(stat_of(&b.c, ".git/abcdef").mode, LX_S_IFREG | 0644);
    assert_int_equal(b.h.nrequests[REMOTE_READ], reads);
    // What the guest set stays through edits and renames.
    OK(p9c_chmod(&b.c, "plain.txt", 0700));
    fake_edit(&b.h, "plain.txt", "other text", false);
    OK(p9c_rename(&b.c, "plain.txt", "renamed"));
    assert_int_equal(stat_of(&b.c, "renamed").mode, LX_S_IFREG | 0700);
    // Write-protected at the host.
    fake_find(&b.h, "Makefile")->readonly = true;
    fs_remote_changed(b.h.fs, "Makefile");
    assert_int_equal(stat_of(&b.c, "Makefile").mode, LX_S_IFREG | 0444);
    FAILS(p9c_store(&b.c, "Makefile", "x"), LX_EACCES);
    holds(&b.c, "Makefile", "all:\n");
    box_close(&b);
}

static void errors(void **state) {
    (void)state;
    struct box b;
    char buf[16];
    u32 fid;
    box_open(&b, 8);
    fake_edit(&b.h, "f", "old", false);
    holds(&b.c, "f", "old");
    OK(p9c_open(&b.c, "f", LX_O_RDWR, 0, &fid));
    // fsync tells; the content stays here and is written when it can be.
    b.h.fail_op = 1 + REMOTE_WRITE;
    b.h.fail_percent = 100;
    assert_int_equal(p9c_write(&b.c, fid, 0, "new", 3), 3);
    FAILS(p9c_fsync(&b.c, fid), LX_EIO);
    assert_true(b.warnings > 0);
    assert_non_null(strstr(b.last, "could not write workspace file f"));
    host_has(&b, "f", "old");
    assert_int_equal(p9c_read(&b.c, fid, 0, buf, sizeof buf), 3);
    assert_memory_equal(buf, "new", 3);
    b.h.fail_percent = 0;
    fake_settle(&b.h); // tried again by itself
    host_has(&b, "f", "new");
    OK(p9c_clunk(&b.c, fid));
    // Failures of other requests come through and change nothing.
    b.h.fail_op = 1 + REMOTE_DELETE;
    b.h.fail_next = LX_EACCES;
    FAILS(p9c_unlink(&b.c, "f"), LX_EACCES);
    holds(&b.c, "f", "new");
    b.h.fail_op = 1 + REMOTE_RENAME;
    b.h.fail_next = LX_EACCES;
    FAILS(p9c_rename(&b.c, "f", "g"), LX_EACCES);
    holds(&b.c, "f", "new");
    b.h.fail_op = 1 + REMOTE_MKDIR;
    b.h.fail_next = LX_EACCES;
    FAILS(p9c_mkdir(&b.c, "d", 0755), LX_EACCES);
    missing(&b.c, "d");
    b.h.fail_op = 1 + REMOTE_READDIR;
    b.h.fail_next = LX_EIO;
    fs_remote_changed(b.h.fs, "");
    FAILS(p9c_readdir(&b.c, "", 4096, NULL, NULL), LX_EIO);
    assert_int_equal(p9c_readdir(&b.c, "", 4096, NULL, NULL), 3);
    b.h.fail_op = 0;
    // Somebody else fills the directory just before it is removed: nothing is lost.
    OK(p9c_mkdir(&b.c, "d", 0755));
    fake_edit(&b.h, "d/x", "X", true);
    FAILS(p9c_rmdir(&b.c, "d"), LX_ENOTEMPTY);
    holds(&b.c, "d/x", "X");
    box_close(&b);
}

static void bounds(void **state) {
    (void)state;
    struct box b;
    u32 fid;
    box_open(&b, 9); // 1 MiB a file, 4 MiB together
    char *big = calloc(1, (2 << 20) + 1);
    memset(big, 'b', 2 << 20);
    fake_edit(&b.h, "big", big, false);
    FAILS(p9c_open(&b.c, "big", LX_O_RDONLY, 0, &fid), LX_EFBIG);
    assert_non_null(strstr(b.last, "big"));
    assert_int_equal(stat_of(&b.c, "big").size, 2 << 20);
    OK(p9c_open(&b.c, "sparse", LX_O_RDWR | LX_O_CREAT, 0644, &fid));
    FAILS(p9c_write(&b.c, fid, 1ull << 40, "x", 1), LX_EFBIG);
    FAILS(p9c_truncate(&b.c, "sparse", 1ull << 62), LX_EFBIG);
    OK(p9c_clunk(&b.c, fid));
    // More content than may be held: what can be read again makes room.
    char name[16];
    big[1000000] = 0;
    for (unsigned i = 0; i < 12; i++) {
        snprintf(name, sizeof name, "part%u", i);
        fake_edit(&b.h, name, big, false);
        OK(p9c_open(&b.c, name, LX_O_RDONLY, 0, &fid));
        char c[4];
        assert_int_equal(p9c_read(&b.c, fid, 999998, c, sizeof c), 2);
        OK(p9c_clunk(&b.c, fid));
    }
    // What cannot is refused: unwritten content fills the memory while the host does not answer.
    b.h.fail_op = 1 + REMOTE_WRITE;
    b.h.fail_percent = 100;
    int err = 0;
    for (unsigned i = 0; i < 12 && !err; i++) {
        snprintf(name, sizeof name, "new%u", i);
        err = p9c_store(&b.c, name, big);
    }
    assert_int_equal(err, -LX_ENOSPC);
    free(big);
    box_close(&b);
}

static void symlinks_beside(void **state) {
    (void)state;
    struct box b;
    char buf[64];
    box_open(&b, 10);
    OK(p9c_symlink(&b.c, "target", "link"));
    fake_settle(&b.h);
    assert_int_equal(b.h.count, 0); // the host knows nothing of it
    fs_remote_changed(b.h.fs, "");
    assert_int_equal(p9c_readdir(&b.c, "", 4096, NULL, NULL), 3);
    OK(p9c_readlink(&b.c, "link", buf, sizeof buf));
    // Over a file that the host has: that one goes.
    fake_edit(&b.h, "file", "x", false);
    OK(p9c_rename(&b.c, "link", "file"));
    assert_null(fake_find(&b.h, "file"));
    OK(p9c_readlink(&b.c, "file", buf, sizeof buf));
    // The editor makes a file of that name: it is the user's, so it is what the guest sees.
    fake_edit(&b.h, "file", "real", false);
    assert_int_equal(p9c_readdir(&b.c, "", 4096, NULL, NULL), 3);
    holds(&b.c, "file", "real");
    // Links in a directory that the editor removes go with it.
    OK(p9c_mkdir(&b.c, "d", 0755));
    OK(p9c_symlink(&b.c, "x", "d/l"));
    fake_remove(&b.h, "d");
    missing(&b.c, "d/l");
    box_close(&b);
}

static void names_from_outside(void **state) {
    (void)state;
    struct box b;
    struct fake_file *f;
    char path[400];
    box_open(&b, 11);
    memset(path, 'p', sizeof path);
    path[300] = 0;
    fake_edit(&b.h, path, "too long a name", true);
    fake_edit(&b.h, "ok", "x", true);
    f = fake_find(&b.h, path);
    assert_non_null(f);
    assert_int_equal(p9c_readdir(&b.c, "", 4096, NULL, NULL), 3);
    assert_int_equal(b.warnings, 1);
    assert_int_equal(fs_remote_errno("FileNotFound"), LX_ENOENT);
    assert_int_equal(fs_remote_errno("NoPermissions"), LX_EACCES);
    assert_int_equal(fs_remote_errno("?"), LX_EIO);
    box_close(&b);
}

static void caching(void **state) {
    (void)state;
    struct box b;
    box_open(&b, 12);
    char path[32];
    for (unsigned i = 0; i < 50; i++) {
        snprintf(path, sizeof path, "h%u.h", i);
        fake_edit(&b.h, path, "x", false);
    }
    assert_int_equal(p9c_readdir(&b.c, "", 4096, NULL, NULL), 52); // asks for all stats ahead
    fake_settle(&b.h);
    unsigned sum = 0, after = 0;
    for (unsigned i = 0; i < 7; i++) sum += b.h.nrequests[i];
    for (unsigned i = 0; i < 50; i++) {
        snprintf(path, sizeof path, "h%u.h", i);
        assert_int_equal(stat_of(&b.c, path).size, 1);
        snprintf(path, sizeof path, "not%u.h", i); // include path search
        missing(&b.c, path);
    }
    for (unsigned i = 0; i < 7; i++) after += b.h.nrequests[i];
    assert_int_equal(after, sum);
    box_close(&b);
}

static void destroy_in_flight(void **state) {
    (void)state;
    struct box b;
    box_open(&b, 13);
    fake_edit(&b.h, "f", "x", false);
    b.h.hold = true;
    u8 msg[64];
    struct p9_msg t = {.type = P9_Twalk, .tag = 9, .Twalk = {.fid = b.c.root, .newfid = 99}};
    t.Twalk.names = (struct p9_names){1, {{"f", 1}}};
    size_t len = p9_pack(&t, msg, sizeof msg);
    b.c.got = false;
    p9_server_submit(b.c.s, msg, len, 4096, on_reply, &b.c);
    assert_int_equal(p9_server_pending(b.c.s), 1);
    box_close(&b); // the server first: its request comes back to it when the fs goes
    assert_false(b.c.got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(remote_cases),
        cmocka_unit_test(guest_to_editor),
        cmocka_unit_test(editor_to_guest),
        cmocka_unit_test(vanishes_while_open),
        cmocka_unit_test(removed_while_dirty),
        cmocka_unit_test(modes),
        cmocka_unit_test(errors),
        cmocka_unit_test(bounds),
        cmocka_unit_test(symlinks_beside),
        cmocka_unit_test(names_from_outside),
        cmocka_unit_test(caching),
        cmocka_unit_test(destroy_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
