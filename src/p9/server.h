// A 9P2000.L server without I/O: request messages in, reply messages out.
// Wire format: the protocol description of the Linux kernel (v9fs) and diod's protocol.md.
#ifndef BERTH_P9_SERVER_H
#define BERTH_P9_SERVER_H

#include "base/log.h"
#include "base/types.h"
#include "p9/fs.h"

struct p9_server;

// `fs` is borrowed and must outlive the server. NULL when out of memory.
struct p9_server *p9_server_create(struct fs *fs, u32 max_msize, const struct log *log);
void p9_server_destroy(struct p9_server *s); // drops requests in flight; their replies never come

// One whole T-message of `len` bytes (copied). `reply` is called exactly once with one whole R-message,
// before this returns or later; the bytes are the server's and valid during the call only. A
// malformed message gets an Rlerror. `max_reply` bounds the reply (the transport's buffer).
typedef void (*p9_reply)(void *arg, const u8 *msg, size_t len);
void p9_server_submit(struct p9_server *s, const u8 *msg, size_t len, size_t max_reply,
                      p9_reply reply, void *arg);

// Requests not yet answered.
unsigned p9_server_pending(const struct p9_server *s);

#endif
