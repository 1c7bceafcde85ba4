// A 9P2000.L client in the process of its server, with calls like the system's: what a test drives
// the server and its back ends with. Errors are negative Linux errno values.
#ifndef BERTH_TEST_P9_CLIENT_H
#define BERTH_TEST_P9_CLIENT_H

#include "base/err.h"
#include "p9/codec.h"
#include "p9/linux.h"
#include "p9/server.h"

struct p9c {
    struct p9_server *s;
    struct fs *fs;
    void (*pump)(void *arg); // lets the back end go on; NULL: it never waits
    void *arg;
    u32 next_fid, root, uid, gid, msize;
    u16 next_tag;
    u8 *out, *in; // messages
    size_t in_len;
    bool got;
};

void p9c_init(struct p9c *c, struct fs *fs, u32 msize, void (*pump)(void *), void *arg);
void p9c_end(struct p9c *c); // the server; not the fs

// Sends `t` (the tag is chosen) and waits for the answer; 0 with *r, or -errno. *r points into
// c->in.
int p9c_rpc(struct p9c *c, struct p9_msg *t, struct p9_msg *r);
// Raw bytes in, length of the answer in c->in out.
size_t p9c_raw(struct p9c *c, const u8 *msg, size_t len, size_t max_reply);

// Paths are relative to the root, "" is the root. Those that return a fid want p9c_clunk.
int p9c_walk(struct p9c *c, const char *path, u32 *fid);
int p9c_clunk(struct p9c *c, u32 fid);
int p9c_open(struct p9c *c, const char *path, u32 flags, u32 mode, u32 *fid); // O_CREAT creates
int p9c_read(struct p9c *c, u32 fid, u64 off, void *buf, u32 len);
int p9c_write(struct p9c *c, u32 fid, u64 off, const void *buf, u32 len);
int p9c_fsync(struct p9c *c, u32 fid);
int p9c_fstat(struct p9c *c, u32 fid, struct p9_Rgetattr *st);
int p9c_stat(struct p9c *c, const char *path, struct p9_Rgetattr *st);
int p9c_fsetattr(struct p9c *c, u32 fid, const struct fs_setattr *set);
int p9c_setattr(struct p9c *c, const char *path, const struct fs_setattr *set);
int p9c_chmod(struct p9c *c, const char *path, u32 mode);
int p9c_truncate(struct p9c *c, const char *path, u64 size);
int p9c_mkdir(struct p9c *c, const char *path, u32 mode);
int p9c_unlink(struct p9c *c, const char *path);
int p9c_rmdir(struct p9c *c, const char *path);
int p9c_rename(struct p9c *c, const char *from, const char *to);
int p9c_symlink(struct p9c *c, const char *target, const char *path);
int p9c_readlink(struct p9c *c, const char *path, char *buf, size_t cap); // NUL-terminated
int p9c_link(struct p9c *c, const char *from, const char *to);
int p9c_mknod(struct p9c *c, const char *path, u32 mode, u32 major, u32 minor);
int p9c_lock(struct p9c *c, u32 fid, u8 type, u64 start, u64 len, u32 proc); // status
int p9c_getxattr(struct p9c *c, const char *path, const char *name, void *buf, u32 cap);
int p9c_setxattr(struct p9c *c, const char *path, const char *name, const void *val, u32 len,
                 u32 flags);
// Calls `each` for every entry; the number of entries or -errno. `count`: bytes asked for at a
// time.
int p9c_readdir(struct p9c *c, const char *path, u32 count,
                void (*each)(void *arg, const char *name, u8 dtype, u64 ino), void *arg);
// Whole files. p9c_load returns the length (at most cap).
int p9c_store(struct p9c *c, const char *path, const char *text);
int p9c_load(struct p9c *c, const char *path, char *buf, size_t cap);

#endif
