// What the server's files share: the session, its fids and its requests. Private to src/p9.
#ifndef BERTH_P9_SESSION_H
#define BERTH_P9_SESSION_H

#include "p9/codec.h"
#include "p9/linux.h"
#include "p9/lock.h"
#include "p9/server.h"

enum {
    P9_MIN_MSIZE = 4096,
    P9_MAX_FIDS = 1 << 18,
    P9_MAX_REQUESTS = 1024,
    P9_FID_BUCKETS = 4096,
    P9_IO_HEADER = P9_HEADER + 4, // Rread and Rreaddir before their data
};

enum p9_fid_kind {
    FID_WALKED, // stands for a file, not opened
    FID_OPENING,
    FID_OPEN,
    FID_XATTR_READ,
    FID_XATTR_WRITE,
};

// A fid is referenced by the table while the client knows it and by each request that uses it, so a
// Tclunk in the middle of a Tread takes it away only after the read.
struct p9_fid {
    u32 id, refs;
    struct p9_fid *next; // in its bucket
    bool listed;         // in the table
    struct p9_server *s;
    enum p9_fid_kind kind;
    u32 uid; // of the attach it descends from
    struct fs_node *node;
    struct p9_qid qid;
    u32 mode; // st_mode's type bits
    void *handle;
    u32 flags; // FID_OPEN: Linux O_*
    // Where the last walk, create or rename found it: for Tremove and Trename, which name no
    // directory. NULL for the root of an attach. Checked before use, as others may have renamed it
    // since.
    struct fs_node *dir;
    u64 dir_ino;
    char *name;
    // FID_XATTR_*: value or list; written through Twrite, set by Tclunk.
    u8 *xattr;
    u32 xattr_len, xattr_size, xattr_flags;
    char *xattr_name;
};

struct p9_req;

struct p9_server {
    struct fs *fs;
    const struct log *log;
    u32 max_msize, msize;
    bool versioned; // a Tversion has succeeded
    bool dead;      // destroyed; freed with its last request
    struct p9_req *reqs;
    unsigned nreqs, npending; // all, and those not yet answered
    struct p9_fid *fids[P9_FID_BUCKETS];
    unsigned nfids;
    struct p9_locks *locks;
    struct p9_req *version_req; // waits for every other request
};

// One T-message on its way. It ends with one call of p9_req_ok or p9_req_fail; when it was answered
// before its operation came back (flushed), the operation's result is dropped.
struct p9_req {
    struct p9_server *s;
    struct p9_req *next, **link; // in s->reqs
    struct p9_req *flushers;     // Tflush requests that are answered after this one
    struct p9_req *next_flusher;
    struct p9_msg m; // points into bytes[]
    size_t max_reply;
    p9_reply reply;
    void *arg;
    bool answered;
    bool in_fs;       // an operation of the back end is under way
    bool sees_errors; // done gets failures too
    void (*done)(struct p9_req *r, const struct fs_result *res);
    struct p9_fid *fid, *fid2;   // references
    struct fs_node *node, *dir2; // references: what the operation works on
    struct p9_qids qids;         // Twalk: found so far
    u32 mode;                    // Twalk: of the last found
    struct fs_node *walk_dir;    // Twalk: where node was found
    u64 walk_dir_ino;
    char *old_name; // Tremove, Trename: in walk_dir
    u8 *out;        // reply under construction, when it carries much data
    u32 out_cap, out_len;
    bool out_full; // Treaddir: an entry did not fit
    u8 bytes[];    // the message, one byte longer for the last NUL
};

// --- server.c ---

// Answers with `m` (type and tag are filled in) or with Rlerror, and ends the request.
void p9_req_ok(struct p9_req *r, struct p9_msg *m);
void p9_req_fail(struct p9_req *r, int err);
// The same for a reply without fields.
void p9_req_done(struct p9_req *r);
// Marks the operation as under way; `done` gets a successful result. An error fails the request.
// Pass p9_fs_done and the request to the operation.
void p9_req_start(struct p9_req *r, void (*done)(struct p9_req *, const struct fs_result *));
void p9_fs_done(void *arg, const struct fs_result *res);

// r->fid = the fid, with a reference, and r->node = its node, with a reference. False: failed.
bool p9_req_fid(struct p9_req *r, u32 id);
bool p9_req_open_fid(struct p9_req *r, u32 id); // the same, must be FID_OPEN
// A fid that names a directory, into r->dir2.
bool p9_req_dir2(struct p9_req *r, u32 id);
// NUL-terminates a string of the message in place (what follows it has been decoded already).
char *p9_cstr(struct p9_str s);
// 0 for a legal single component, else an errno.
int p9_check_name(struct p9_str name);
bool p9_req_name(struct p9_req *r, struct p9_str name); // false: failed

struct p9_qid p9_qid_of(const struct fs_attr *a);

// --- fid.c ---

struct p9_fid *p9_fid_find(struct p9_server *s, u32 id); // no reference
// A new fid in the table, with a reference for the caller. NULL: err is set.
struct p9_fid *p9_fid_new(struct p9_server *s, u32 id, int *err);
struct p9_fid *p9_fid_ref(struct p9_fid *f);
void p9_fid_put(struct p9_fid *f);    // may be NULL
void p9_fid_unlist(struct p9_fid *f); // out of the table, with its reference
void p9_fids_clear(struct p9_server *s);
// Takes over the references to node and dir.
void p9_fid_place(struct p9_fid *f, struct fs_node *node, struct p9_qid qid, u32 mode,
                  struct fs_node *dir, u64 dir_ino, const char *name);
// Every fid known as from/name is now known as to/newname.
void p9_fids_renamed(struct p9_server *s, u64 from, const char *name, struct fs_node *to_dir,
                     u64 to, const char *newname);

// --- the messages: server.c, server_file.c, server_name.c, server_xattr.c ---

#define P9_HANDLERS(H)                                                                             \
    H(Tversion)                                                                                    \
    H(Tauth)                                                                                       \
    H(Tattach)                                                                                     \
    H(Tflush)                                                                                      \
    H(Twalk)                                                                                       \
    H(Tclunk)                                                                                      \
    H(Tlopen)                                                                                      \
    H(Tread)                                                                                       \
    H(Twrite)                                                                                      \
    H(Treaddir)                                                                                    \
    H(Tgetattr)                                                                                    \
    H(Tsetattr)                                                                                    \
    H(Tstatfs)                                                                                     \
    H(Tfsync)                                                                                      \
    H(Tlock)                                                                                       \
    H(Tgetlock)                                                                                    \
    H(Treadlink)                                                                                   \
    H(Tlcreate)                                                                                    \
    H(Tmkdir)                                                                                      \
    H(Tsymlink)                                                                                    \
    H(Tmknod)                                                                                      \
    H(Tlink)                                                                                       \
    H(Trename)                                                                                     \
    H(Trenameat)                                                                                   \
    H(Tunlinkat)                                                                                   \
    H(Tremove)                                                                                     \
    H(Txattrwalk)                                                                                  \
    H(Txattrcreate)
#define H(type) void p9_do_##type(struct p9_req *r);
P9_HANDLERS(H)
#undef H

// Ends of fids that hold an extended attribute.
void p9_xattr_read(struct p9_req *r);
void p9_xattr_write(struct p9_req *r);
void p9_xattr_clunk(struct p9_req *r);

#endif
