// What the files of the remote back end share: the tree of nodes, jobs for the host, operations
// that wait. Private to src/p9; the head comment of fs_remote.c tells how they work together.
#ifndef BERTH_P9_REMOTE_H
#define BERTH_P9_REMOTE_H

#include "p9/fs_remote.h"
#include "p9/linux.h"

enum {
    REMOTE_MAX_FLYING = 64, // requests that the host works on at one time
    REMOTE_MAX_NODES = 1 << 20,
    REMOTE_SNIFF_MAX = 1 << 18, // a file is not read just to see whether it is a program above this
    REMOTE_PREFETCH = 256,      // files of a directory that are looked at ahead
    REMOTE_CLOSE_MS = 50,       // written so long after close: a rename often follows
    REMOTE_RETRIES = 5,
    REMOTE_MAX_PATH = 32768,
};
#define REMOTE_FRESH_NS   2000000000ull // what was asked is believed so long without an event
#define REMOTE_IDLE_BYTES (64ull << 20) // content kept of files that nobody has open

struct op;
struct job;

// What the host last said of a file; two that differ mean that the content may.
struct token {
    u64 size, mtime_ms;
};

enum exec_guess { EXEC_UNKNOWN, EXEC_YES, EXEC_NO };

struct fs_node {
    u32 refs;  // the server's, operations', jobs'
    u32 opens; // handles
    u32 kind;  // S_IFMT bits
    u64 ino;
    u32 version;
    // Place in the tree. A detached node has none: unlinked, replaced, or vanished at the host.
    bool detached;
    struct fs_node *parent, *child, *next, **link;
    struct fs_node *hash_next;
    char *name;
    // Kept beside: what the guest set. Modes without IFMT.
    bool mode_set, uid_set, gid_set, mtime_set, atime_set;
    u32 mode, uid, gid;
    u64 mtime_ns, atime_ns, ctime_ns;
    enum exec_guess exec;
    char *target; // symlinks
    u64 rdev;
    // What the host says. `born`, *_seq and *_event are values of remote.seq; a *_seq is the time
    // the request began.
    bool local;      // exists only here: symlinks, FIFOs, sockets, devices
    bool not_remote; // a new file that is not written yet
    bool readonly;
    bool stat_known, list_known;
    u64 born, stat_seq, stat_ns, list_seq, list_ns;
    u64 stat_event, list_event; // answers to what was asked before are stale
    u64 list_mark;              // the last listing of its directory that had it
    struct token token;
    struct job *stat_job, *list_job, *read_job, *write_job;
    // Content of regular files, whole. `size` is right whenever loaded, else token.size is.
    bool loaded, dirty, own_write; // own_write: the next stat shows what we wrote
    bool conflict_told, sniffed;
    u64 flush_seq;
    u8 *data;
    u64 size, cap, own_size;
    struct token data_token; // of the host when the content was read
    u64 gen, written_gen;    // changes by the guest, counted; those stored
    u64 due_ns, wrote_ns;    // dirty: when to write; when we last did
    int write_err;
    unsigned tries;
    struct fs_node *dirty_next, **dirty_link;
    struct fs_node *lru_next, *lru_prev; // loaded; the last used at the head
};

// One request to the host, waiting or under way.
struct job {
    u32 id;
    enum remote_op op;
    struct fs_node *n;   // reference
    struct fs_node *dir; // reference: MKDIR's and RENAME's target
    char *name;          //   in it
    bool flying;
    u64 seq, gen;
    struct token token; // READ: the node's when it began
    struct op *waiters, **last_waiter;
    struct job *next;
};

// One call of the file system that is not finished. `step` runs again after each job it waited for,
// with that job's error, looks at the tree anew and either ends the operation or waits for the next
// thing.
struct op {
    struct remote *r;
    void (*step)(struct op *o, int err);
    fs_done done;
    void *arg;
    u64 seq; // what was asked of the host after this is news for the operation
    unsigned steps;
    struct fs_node *n, *n2; // references
    char *name, *name2;
    u32 flags, mode;
    struct fs_cred cred;
    struct fs_setattr set;
    u64 off, rdev;
    u8 *buf;
    const u8 *src;
    u32 len;
    struct dir_handle *dir_handle;
    fs_emit emit;
    void *emit_arg;
    bool forgives; // the job waited for may fail
    bool sent;     // the job waited for is the last step
    bool saved;    // what the victim's openers may want was read
    unsigned flushes;
    struct op *next_waiter;
    struct op *next, **link; // of all
};

struct remote {
    struct fs fs;
    struct fs_remote_settings set;
    struct fs_node *root;
    struct fs_node **table; // by parent and name
    size_t buckets, nodes;
    u64 next_ino, seq, invalid_seq; // what was asked before invalid_seq is stale
    u32 next_id;
    struct job *queue, **queue_end, *flying;
    unsigned nflying;
    bool exclusive, pumping, dying;
    struct op *ops;
    struct fs_node *dirty, *lru_head, *lru_tail;
    u64 bytes;
    u64 timer_ns; // asked for; 0: none
};

static inline struct remote *remote_of(struct fs *fs) { return (struct remote *)fs; }
static inline u64 remote_now(const struct remote *r) { return r->set.host.now_ns(r->set.host.arg); }

// --- remote_node.c: the tree ---

struct fs_node *node_new(struct remote *r, struct fs_node *dir, const char *name, u32 kind);
void node_get(struct fs_node *n);
void node_put(struct remote *r, struct fs_node *n); // may be NULL
struct fs_node *node_child(const struct remote *r, const struct fs_node *dir, const char *name);
void node_detach(struct remote *r, struct fs_node *n); // with all below it
bool node_move(struct remote *r, struct fs_node *n, struct fs_node *dir, const char *name);
bool node_below(const struct fs_node *n, const struct fs_node *top); // n is top or below it
// Path of `n`, or of `name` in it; malloc'ed. NULL: detached, too long, or out of memory.
char *node_path(const struct fs_node *n, const char *name);
void node_attr(const struct remote *r, const struct fs_node *n, struct fs_attr *a);
void node_touch(const struct remote *r, struct fs_node *n); // its metadata changes now
// Only we know how it is: the host need not, must not be asked.
static inline bool node_ours(const struct fs_node *n) {
    return n->local || n->not_remote || n->dirty || n->write_job || n->detached;
}

// --- remote_job.c: requests to the host and what they bring ---

// Queues a request; a STAT, READDIR, READ or WRITE of a node under way is joined. NULL: out of
// memory.
struct job *job_start(struct remote *r, enum remote_op op, struct fs_node *n, struct fs_node *dir,
                      const char *name);
void job_wait(struct job *j, struct op *o);
void jobs_pump(struct remote *r); // hands to the host what may begin
void jobs_drop(struct remote *r);

// --- remote_data.c: content ---

bool data_resize(struct remote *r, struct fs_node *n, u64 size, int *err); // zero-fills
void data_drop(struct remote *r, struct fs_node *n);
void data_used(struct remote *r, struct fs_node *n);
void data_trim(struct remote *r); // forgets what can be read again, above the bounds
void data_changed(struct remote *r, struct fs_node *n); // by the guest: now dirty
void data_clean(struct remote *r, struct fs_node *n);
// What the host read; 0 or an errno.
int data_adopt(struct remote *r, struct fs_node *n, const u8 *bytes, size_t len,
               struct token token);
void data_due(struct remote *r, struct fs_node *n, u32 delay_ms);
void data_written(struct remote *r, struct fs_node *n, int err, u64 gen);
void data_guess(struct fs_node *n); // what the name says of being a program
void data_sniff(struct fs_node *n);
bool data_wants_sniff(const struct fs_node *n);

// --- operations: fs_remote.c, remote_names.c ---

struct op *op_new(struct fs *fs, struct fs_node *n, const char *name,
                  void (*step)(struct op *, int), fs_done done,
                  void *arg); // NULL: done was called with ENOMEM
void op_run(struct op *o);
void op_fail(struct op *o, int err);
void op_ok(struct op *o);
void op_node(struct op *o, struct fs_node *n, void *handle); // ok, with the node and its attributes
// Each returns true when what is asked for is at hand; false: the operation waits or has ended.
bool op_need_stat(struct op *o, struct fs_node *n);
bool op_need_list(struct op *o, struct fs_node *dir, bool now);
bool op_need_data(struct op *o, struct fs_node *n);
// *out: the child as the host has it now, NULL if there is none.
bool op_need_child(struct op *o, struct fs_node *dir, const char *name, struct fs_node **out);
bool op_send(struct op *o, enum remote_op op, struct fs_node *n, struct fs_node *dir,
             const char *name); // always false
// What a job's error means for a step that only needed its effect; true: the operation has failed.
bool op_failed(struct op *o, int err);
// Opens `n`, whose stat is at hand, with o->flags.
bool op_open(struct op *o, struct fs_node *n, void **handle);
bool op_may_write(struct op *o, const struct fs_node *n); // EACCES for what the host write-protects

void remote_do_create(struct fs *fs, struct fs_node *dir, const char *name, u32 flags, u32 mode,
                      struct fs_cred cred, fs_done done, void *arg);
void remote_do_mkdir(struct fs *fs, struct fs_node *dir, const char *name, u32 mode,
                     struct fs_cred cred, fs_done done, void *arg);
void remote_do_symlink(struct fs *fs, struct fs_node *dir, const char *name, const char *target,
                       struct fs_cred cred, fs_done done, void *arg);
void remote_do_mknod(struct fs *fs, struct fs_node *dir, const char *name, u32 mode, u64 rdev,
                     struct fs_cred cred, fs_done done, void *arg);
void remote_do_link(struct fs *fs, struct fs_node *n, struct fs_node *dir, const char *name,
                    fs_done done, void *arg);
void remote_do_rename(struct fs *fs, struct fs_node *from_dir, const char *from,
                      struct fs_node *to_dir, const char *to, fs_done done, void *arg);
void remote_do_unlink(struct fs *fs, struct fs_node *dir, const char *name, bool dir_wanted,
                      fs_done done, void *arg);
void *remote_handle(struct fs_node *n); // counts as an open; NULL when out of memory

#endif
