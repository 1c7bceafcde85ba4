// Advisory byte-range locks of one 9p server, kept per file (qid.path).
#ifndef BERTH_P9_LOCK_H
#define BERTH_P9_LOCK_H

#include "base/types.h"

enum { P9_LOCK_RD = 0, P9_LOCK_WR = 1, P9_LOCK_UN = 2 }; // Tlock.type
enum { P9_LOCK_SUCCESS = 0, P9_LOCK_BLOCKED = 1, P9_LOCK_ERROR = 2 };
enum { P9_LOCK_MAX_CLIENT = 255, P9_LOCK_MAX = 65536 };

struct p9_lock_owner {
    const char *client; // not NUL-terminated
    u16 client_len;
    u32 proc;
    const void *via; // the open file (fid) it came through
};

struct p9_lock_range {
    u8 type;
    u64 start, end; // both included; end ~0 is the end of the file, wherever that is
};

struct p9_locks; // all zero: none
struct p9_locks *p9_locks_create(void);
void p9_locks_destroy(struct p9_locks *l);

// Sets, changes or (P9_LOCK_UN) removes a lock: a P9_LOCK_* status, or P9_LOCK_ERROR when out of
// memory or at the limit.
u8 p9_locks_set(struct p9_locks *l, u64 file, struct p9_lock_range r, struct p9_lock_owner who);

// The first lock that would keep `who` from taking `r`; false when there is none. `holder->client`
// stays valid until the locks change.
bool p9_locks_test(const struct p9_locks *l, u64 file, struct p9_lock_range r,
                   struct p9_lock_owner who, struct p9_lock_range *held,
                   struct p9_lock_owner *holder);

// Drops every lock that came through `via`: the open file is gone.
void p9_locks_drop(struct p9_locks *l, u64 file, const void *via);

unsigned p9_locks_count(const struct p9_locks *l);

#endif
