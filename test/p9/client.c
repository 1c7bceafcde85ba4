// The client of client.h. Aborts on what only a broken server does (no answer, a wrong tag).
#include "test/p9/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fprintf(stderr, "%s:%d: the server broke its contract: %s\n", __FILE__, __LINE__,      \
                    #cond);                                                                        \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static void on_reply(void *arg, const u8 *msg, size_t len) {
    struct p9c *c = arg;
    MUST(!c->got);
    c->got = true;
    c->in_len = len;
    memcpy(c->in, msg, len);
}

size_t p9c_raw(struct p9c *c, const u8 *msg, size_t len, size_t max_reply) {
    c->got = false;
    p9_server_submit(c->s, msg, len, max_reply, on_reply, c);
    for (unsigned i = 0; !c->got; i++) {
        MUST(c->pump && i < 1000000);
        c->pump(c->arg);
    }
    return c->in_len;
}

int p9c_rpc(struct p9c *c, struct p9_msg *t, struct p9_msg *r) {
    t->tag = t->type == P9_Tversion ? P9_NOTAG : c->next_tag++ & 0x7fff;
    size_t len = p9_pack(t, c->out, c->msize);
    MUST(len);
    p9c_raw(c, c->out, len, c->msize);
    MUST(p9_unpack(r, c->in, c->in_len) == P9_OK && r->tag == t->tag);
    MUST(r->type == t->type + 1 || r->type == P9_Rlerror);
    return r->type == P9_Rlerror ? -(int)r->Rlerror.ecode : 0;
}

static struct p9_str str(const char *s) { return (struct p9_str){s, (u16)strlen(s)}; }

void p9c_init(struct p9c *c, struct fs *fs, u32 msize, void (*pump)(void *), void *arg) {
    *c = (struct p9c){.fs = fs, .pump = pump, .arg = arg, .msize = msize, .next_fid = 1};
    c->s = p9_server_create(fs, msize, NULL);
    c->out = malloc(msize);
    c->in = malloc(msize);
    MUST(c->s && c->out && c->in);
    struct p9_msg r, t = {.type = P9_Tversion, .Tversion = {msize, str("9P2000.L"), 0}};
    MUST(!p9c_rpc(c, &t, &r) && r.Rversion.msize <= msize);
    c->root = c->next_fid++;
    t = (struct p9_msg){.type = P9_Tattach,
                        .Tattach = {c->root, P9_NOFID, str("root"), str(""), c->uid, 0}};
    MUST(!p9c_rpc(c, &t, &r) && r.Rattach.qid.type == P9_QT_DIR);
}

void p9c_end(struct p9c *c) {
    p9_server_destroy(c->s);
    free(c->out);
    free(c->in);
}

// --- walking ---

int p9c_walk(struct p9c *c, const char *path, u32 *fid) {
    char copy[65536];
    snprintf(copy, sizeof copy, "%s", path);
    u32 from = c->root, to = c->next_fid++;
    char *save = NULL, *name = strtok_r(copy, "/", &save);
    do {
        struct p9_msg r, t = {.type = P9_Twalk, .Twalk = {.fid = from, .newfid = to}};
        for (; name && t.Twalk.names.n < P9_MAX_NAMES; name = strtok_r(NULL, "/", &save))
            t.Twalk.names.s[t.Twalk.names.n++] = str(name);
        int err = p9c_rpc(c, &t, &r);
        bool part = !err && r.Rwalk.qids.n < t.Twalk.names.n;
        if (part) { // as the kernel does, learn why from where it stopped
            struct p9_str next = t.Twalk.names.s[r.Rwalk.qids.n];
            t.Twalk.names.n = r.Rwalk.qids.n;
            err = p9c_rpc(c, &t, &r);
            if (err) return err;
            t.Twalk = (struct p9_Twalk){.fid = to, .newfid = to, .names = {1, {next}}};
            err = p9c_rpc(c, &t, &r);
            p9c_clunk(c, to);
            return err ? err : -LX_EIO; // it had failed only that time
        }
        if (err) {
            if (from == to) p9c_clunk(c, to);
            return err;
        }
        from = to;
    } while (name);
    *fid = to;
    return 0;
}

// The directory of `path`, and its last component.
static int walk_dir(struct p9c *c, const char *path, u32 *dir, const char **name) {
    char copy[65536];
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    snprintf(copy, sizeof copy, "%.*s", slash ? (int)(slash - path) : 0, path);
    return p9c_walk(c, copy, dir);
}

int p9c_clunk(struct p9c *c, u32 fid) {
    struct p9_msg r, t = {.type = P9_Tclunk, .Tclunk.fid = fid};
    return p9c_rpc(c, &t, &r);
}

// --- files ---

static int create(struct p9c *c, const char *path, u32 flags, u32 mode, u32 *fid) {
    const char *name;
    u32 dir;
    int err = walk_dir(c, path, &dir, &name);
    if (err) return err;
    struct p9_msg r,
        t = {.type = P9_Tlcreate, .Tlcreate = {dir, str(name), flags, mode, c->gid, 0}};
    err = p9c_rpc(c, &t, &r);
    if (err) p9c_clunk(c, dir);
    *fid = dir;
    return err;
}

int p9c_open(struct p9c *c, const char *path, u32 flags, u32 mode, u32 *fid) {
    int err = p9c_walk(c, path, fid);
    if (err == -LX_ENOENT && (flags & LX_O_CREAT)) return create(c, path, flags, mode, fid);
    if (err) return err;
    if ((flags & LX_O_CREAT) && (flags & LX_O_EXCL)) {
        p9c_clunk(c, *fid);
        return create(c, path, flags, mode, fid);
    }
    struct p9_msg r, t = {.type = P9_Tlopen, .Tlopen = {*fid, flags & ~(u32)LX_O_CREAT, 0}};
    err = p9c_rpc(c, &t, &r);
    if (err) p9c_clunk(c, *fid);
    return err;
}

int p9c_read(struct p9c *c, u32 fid, u64 off, void *buf, u32 len) {
    u32 total = 0;
    while (total < len) {
        struct p9_msg r, t = {.type = P9_Tread, .Tread = {fid, off + total, len - total, 0}};
        int err = p9c_rpc(c, &t, &r);
        if (err) return err;
        MUST(r.Rread.data.count <= len - total);
        if (!r.Rread.data.count) break;
        memcpy((u8 *)buf + total, r.Rread.data.p, r.Rread.data.count);
        total += r.Rread.data.count;
    }
    return (int)total;
}

int p9c_write(struct p9c *c, u32 fid, u64 off, const void *buf, u32 len) {
    u32 total = 0, most = c->msize - 24;
    do {
        u32 n = len - total < most ? len - total : most;
        struct p9_msg r,
            t = {.type = P9_Twrite, .Twrite = {fid, off + total, {(const u8 *)buf + total, n}, 0}};
        int err = p9c_rpc(c, &t, &r);
        if (err) return err;
        MUST(r.Rwrite.count <= n && (r.Rwrite.count || !n));
        total += r.Rwrite.count;
    } while (total < len);
    return (int)total;
}

int p9c_fsync(struct p9c *c, u32 fid) {
    struct p9_msg r, t = {.type = P9_Tfsync, .Tfsync = {fid, 0, 0}};
    return p9c_rpc(c, &t, &r);
}

int p9c_store(struct p9c *c, const char *path, const char *text) {
    u32 fid;
    int err = p9c_open(c, path, LX_O_WRONLY | LX_O_CREAT | LX_O_TRUNC, 0644, &fid);
    if (err) return err;
    int n = p9c_write(c, fid, 0, text, (u32)strlen(text));
    p9c_clunk(c, fid);
    return n < 0 ? n : 0;
}

int p9c_load(struct p9c *c, const char *path, char *buf, size_t cap) {
    u32 fid;
    int err = p9c_open(c, path, LX_O_RDONLY, 0, &fid);
    if (err) return err;
    int n = p9c_read(c, fid, 0, buf, (u32)cap);
    p9c_clunk(c, fid);
    return n;
}

// --- attributes ---

int p9c_fstat(struct p9c *c, u32 fid, struct p9_Rgetattr *st) {
    struct p9_msg r, t = {.type = P9_Tgetattr, .Tgetattr = {fid, 0x7ff, 0}};
    int err = p9c_rpc(c, &t, &r);
    if (!err) *st = r.Rgetattr;
    return err;
}

int p9c_stat(struct p9c *c, const char *path, struct p9_Rgetattr *st) {
    u32 fid;
    int err = p9c_walk(c, path, &fid);
    if (err) return err;
    err = p9c_fstat(c, fid, st);
    p9c_clunk(c, fid);
    return err;
}

int p9c_fsetattr(struct p9c *c, u32 fid, const struct fs_setattr *s) {
    struct p9_msg r, t = {.type = P9_Tsetattr,
                          .Tsetattr = {fid, s->valid, s->mode, s->uid, s->gid, s->size, s->atime_s,
                                       s->atime_ns, s->mtime_s, s->mtime_ns, 0}};
    return p9c_rpc(c, &t, &r);
}

int p9c_setattr(struct p9c *c, const char *path, const struct fs_setattr *s) {
    u32 fid;
    int err = p9c_walk(c, path, &fid);
    if (err) return err;
    err = p9c_fsetattr(c, fid, s);
    p9c_clunk(c, fid);
    return err;
}

int p9c_chmod(struct p9c *c, const char *path, u32 mode) {
    struct fs_setattr s = {.valid = FS_SET_MODE | FS_SET_CTIME, .mode = mode};
    return p9c_setattr(c, path, &s);
}

int p9c_truncate(struct p9c *c, const char *path, u64 size) {
    struct fs_setattr s = {.valid = FS_SET_SIZE | FS_SET_MTIME, .size = size};
    return p9c_setattr(c, path, &s);
}

// --- names ---

int p9c_mkdir(struct p9c *c, const char *path, u32 mode) {
    const char *name;
    u32 dir;
    int err = walk_dir(c, path, &dir, &name);
    if (err) return err;
    struct p9_msg r, t = {.type = P9_Tmkdir, .Tmkdir = {dir, str(name), mode, c->gid, 0}};
    err = p9c_rpc(c, &t, &r);
    p9c_clunk(c, dir);
    return err;
}

static int unlinkat_path(struct p9c *c, const char *path, u32 flags) {
    const char *name;
    u32 dir;
    int err = walk_dir(c, path, &dir, &name);
    if (err) return err;
    struct p9_msg r, t = {.type = P9_Tunlinkat, .Tunlinkat = {dir, str(name), flags, 0}};
    err = p9c_rpc(c, &t, &r);
    p9c_clunk(c, dir);
    return err;
}

int p9c_unlink(struct p9c *c, const char *path) { return unlinkat_path(c, path, 0); }
int p9c_rmdir(struct p9c *c, const char *path) { return unlinkat_path(c, path, 0x200); }

int p9c_rename(struct p9c *c, const char *from, const char *to) {
    const char *name, *newname;
    u32 dir, newdir;
    int err = walk_dir(c, from, &dir, &name);
    if (err) return err;
    err = walk_dir(c, to, &newdir, &newname);
    if (!err) {
        struct p9_msg r,
            t = {.type = P9_Trenameat, .Trenameat = {dir, str(name), newdir, str(newname), 0}};
        err = p9c_rpc(c, &t, &r);
        p9c_clunk(c, newdir);
    }
    p9c_clunk(c, dir);
    return err;
}

int p9c_symlink(struct p9c *c, const char *target, const char *path) {
    const char *name;
    u32 dir;
    int err = walk_dir(c, path, &dir, &name);
    if (err) return err;
    struct p9_msg r,
        t = {.type = P9_Tsymlink, .Tsymlink = {dir, str(name), str(target), c->gid, 0}};
    err = p9c_rpc(c, &t, &r);
    p9c_clunk(c, dir);
    return err;
}

int p9c_readlink(struct p9c *c, const char *path, char *buf, size_t cap) {
    u32 fid;
    int err = p9c_walk(c, path, &fid);
    if (err) return err;
    struct p9_msg r, t = {.type = P9_Treadlink, .Treadlink.fid = fid};
    err = p9c_rpc(c, &t, &r);
    if (!err) snprintf(buf, cap, "%.*s", r.Rreadlink.target.len, r.Rreadlink.target.p);
    p9c_clunk(c, fid);
    return err;
}

int p9c_link(struct p9c *c, const char *from, const char *to) {
    const char *name;
    u32 fid, dir;
    int err = p9c_walk(c, from, &fid);
    if (err) return err;
    err = walk_dir(c, to, &dir, &name);
    if (!err) {
        struct p9_msg r, t = {.type = P9_Tlink, .Tlink = {dir, fid, str(name), 0}};
        err = p9c_rpc(c, &t, &r);
        p9c_clunk(c, dir);
    }
    p9c_clunk(c, fid);
    return err;
}

int p9c_mknod(struct p9c *c, const char *path, u32 mode, u32 major, u32 minor) {
    const char *name;
    u32 dir;
    int err = walk_dir(c, path, &dir, &name);
    if (err) return err;
    struct p9_msg r,
        t = {.type = P9_Tmknod, .Tmknod = {dir, str(name), mode, major, minor, c->gid, 0}};
    err = p9c_rpc(c, &t, &r);
    p9c_clunk(c, dir);
    return err;
}

int p9c_lock(struct p9c *c, u32 fid, u8 type, u64 start, u64 len, u32 proc) {
    struct p9_msg r,
        t = {.type = P9_Tlock, .Tlock = {fid, type, 0, start, len, proc, str("guest"), 0}};
    int err = p9c_rpc(c, &t, &r);
    return err ? err : r.Rlock.status;
}

// --- extended attributes ---

int p9c_getxattr(struct p9c *c, const char *path, const char *name, void *buf, u32 cap) {
    u32 fid, xfid = c->next_fid++;
    int err = p9c_walk(c, path, &fid);
    if (err) return err;
    struct p9_msg r, t = {.type = P9_Txattrwalk, .Txattrwalk = {fid, xfid, str(name), 0}};
    err = p9c_rpc(c, &t, &r);
    p9c_clunk(c, fid);
    if (err) return err;
    u64 size = r.Rxattrwalk.size;
    int n = p9c_read(c, xfid, 0, buf, cap);
    MUST(n < 0 || (u64)n == (size < cap ? size : cap));
    p9c_clunk(c, xfid);
    return n;
}

int p9c_setxattr(struct p9c *c, const char *path, const char *name, const void *val, u32 len,
                 u32 flags) {
    u32 fid;
    int err = p9c_walk(c, path, &fid);
    if (err) return err;
    struct p9_msg r, t = {.type = P9_Txattrcreate, .Txattrcreate = {fid, str(name), len, flags, 0}};
    err = p9c_rpc(c, &t, &r);
    if (!err && len) {
        int n = p9c_write(c, fid, 0, val, len);
        err = n < 0 ? n : 0;
    }
    int end = p9c_clunk(c, fid);
    return err ? err : end;
}

// --- directories ---

static int readdir_fid(struct p9c *c, u32 fid, u32 count,
                       void (*each)(void *arg, const char *name, u8 dtype, u64 ino), void *arg) {
    u64 off = 0;
    int total = 0;
    for (;;) {
        struct p9_msg r, t = {.type = P9_Treaddir, .Treaddir = {fid, off, count, 0}};
        int err = p9c_rpc(c, &t, &r);
        if (err) return err;
        u32 len = r.Rreaddir.data.count, at = 0;
        if (!len) return total;
        u8 *data = malloc(len); // `each` may use the client
        memcpy(data, r.Rreaddir.data.p, len);
        while (at < len) {
            struct p9_qid qid;
            struct p9_str name;
            char text[256];
            u8 dtype;
            size_t n = p9_unpack_dirent(data + at, len - at, &qid, &off, &dtype, &name);
            MUST(n && name.len < sizeof text);
            memcpy(text, name.p, name.len);
            text[name.len] = 0;
            at += (u32)n;
            total++;
            if (each) each(arg, text, dtype, qid.path);
        }
        free(data);
    }
}

int p9c_readdir(struct p9c *c, const char *path, u32 count,
                void (*each)(void *arg, const char *name, u8 dtype, u64 ino), void *arg) {
    u32 fid;
    int err = p9c_open(c, path, LX_O_RDONLY | LX_O_DIRECTORY, 0, &fid);
    if (err) return err;
    int n = readdir_fid(c, fid, count, each, arg);
    p9c_clunk(c, fid);
    return n;
}
