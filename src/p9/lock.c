// Byte-range locks as fcntl(2) F_SETLK describes them: an owner's new lock replaces what it held in
// the range, splitting and joining neighbours; read locks share, write locks exclude.
//
// Depends on base. An owner is (client id, process id), as Tlock names it. Two requests through the
// same open file never conflict and an unlock through it removes whatever came through it: flock(2)
// locks belong to the open file and reach us with the id of whichever process asked (`flock 9` in a
// script locks in a child and `flock -u 9` unlocks in another). POSIX locks of parent and child
// through one inherited descriptor are thus told apart only by the guest's kernel, which does so
// before it asks. A wait is answered BLOCKED; the client asks again.
#include "p9/lock.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 256u

struct lock {
    struct lock *next;
    u64 file;
    struct p9_lock_range r;
    u32 proc;
    const void *via;
    u16 client_len;
    char client[];
};

struct p9_locks {
    struct lock *bucket[BUCKETS];
    unsigned count;
};

struct p9_locks *p9_locks_create(void) {
    return calloc(1, sizeof(struct p9_locks));
}

void p9_locks_destroy(struct p9_locks *l) {
    if (!l) return;
    for (unsigned b = 0; b < BUCKETS; b++)
        for (struct lock *k = l->bucket[b], *next; k; k = next) {
            next = k->next;
            free(k);
        }
    free(l);
}

static unsigned bucket_of(u64 file) {
    return (unsigned)((file * 0x9e3779b97f4a7c15ull) >> 56) % BUCKETS;
}

static bool same_owner(const struct lock *k, const struct p9_lock_owner *who) {
    return k->via == who->via || (k->proc == who->proc && k->client_len == who->client_len &&
                                  !memcmp(k->client, who->client, who->client_len));
}

static bool overlaps(struct p9_lock_range a, struct p9_lock_range b) {
    return a.start <= b.end && b.start <= a.end;
}

static const struct lock *conflict(const struct p9_locks *l, u64 file, struct p9_lock_range r,
                                   const struct p9_lock_owner *who) {
    for (const struct lock *k = l->bucket[bucket_of(file)]; k; k = k->next)
        if (k->file == file && overlaps(k->r, r) && !same_owner(k, who) &&
            (k->r.type == P9_LOCK_WR || r.type == P9_LOCK_WR))
            return k;
    return NULL;
}

bool p9_locks_test(const struct p9_locks *l, u64 file, struct p9_lock_range r,
                   struct p9_lock_owner who, struct p9_lock_range *held,
                   struct p9_lock_owner *holder) {
    const struct lock *k = r.type == P9_LOCK_UN ? NULL : conflict(l, file, r, &who);
    if (!k) return false;
    *held = k->r;
    *holder = (struct p9_lock_owner){k->client, k->client_len, k->proc, k->via};
    return true;
}

static struct lock *lock_new(u64 file, struct p9_lock_range r, const char *client, u16 client_len,
                             u32 proc, const void *via) {
    struct lock *k = malloc(sizeof *k + client_len);
    if (!k) return NULL;
    *k = (struct lock){.file = file, .r = r, .proc = proc, .via = via, .client_len = client_len};
    memcpy(k->client, client, client_len);
    return k;
}

// Cuts [r] out of what `who` holds. `spare` serves the one case that needs a new lock: a hole in
// the middle; it is consumed then. A process has one such lock; should another process have locked
// around the same hole through the same open file, that one loses what lies after the hole.
static void carve(struct p9_locks *l, u64 file, struct p9_lock_range r,
                  const struct p9_lock_owner *who, struct lock **spare) {
    struct lock **at = &l->bucket[bucket_of(file)];
    while (*at) {
        struct lock *k = *at;
        if (k->file != file || !overlaps(k->r, r) || !same_owner(k, who)) {
            at = &k->next;
            continue;
        }
        bool before = k->r.start<r.start, after = k->r.end> r.end;
        if (before && after && *spare) {
            struct lock *tail = *spare;
            *spare = NULL;
            tail->r = (struct p9_lock_range){k->r.type, r.end + 1, k->r.end};
            tail->via = k->via, tail->proc = k->proc;
            tail->next = k->next;
            k->next = tail;
            k->r.end = r.start - 1;
            l->count++;
            at = &tail->next;
        } else if (before) {
            k->r.end = r.start - 1;
            at = &k->next;
        } else if (after) {
            k->r.start = r.end + 1;
            at = &k->next;
        } else {
            *at = k->next;
            free(k);
            l->count--;
        }
    }
}

// Joins `k` with neighbours of the same owner, file and type that touch it.
static void join(struct p9_locks *l, struct lock *k) {
    struct lock **at = &l->bucket[bucket_of(k->file)];
    while (*at) {
        struct lock *o = *at;
        bool same = o != k && o->file == k->file && o->r.type == k->r.type && o->via == k->via &&
                    o->proc == k->proc && o->client_len == k->client_len &&
                    !memcmp(o->client, k->client, k->client_len);
        bool touches = (o->r.end != ~0ull && o->r.end + 1 == k->r.start) ||
                       (k->r.end != ~0ull && k->r.end + 1 == o->r.start);
        if (same && touches) {
            if (o->r.start < k->r.start) k->r.start = o->r.start;
            if (o->r.end > k->r.end) k->r.end = o->r.end;
            *at = o->next;
            free(o);
            l->count--;
        } else {
            at = &o->next;
        }
    }
}

u8 p9_locks_set(struct p9_locks *l, u64 file, struct p9_lock_range r, struct p9_lock_owner who) {
    struct lock *spare = NULL, *k = NULL;
    if (r.type != P9_LOCK_UN) {
        if (conflict(l, file, r, &who)) return P9_LOCK_BLOCKED;
        if (l->count + 2 > P9_LOCK_MAX) return P9_LOCK_ERROR;
        k = lock_new(file, r, who.client, who.client_len, who.proc, who.via);
        if (!k) return P9_LOCK_ERROR;
    }
    spare = lock_new(file, r, who.client, who.client_len, who.proc, who.via);
    if (!spare) {
        free(k);
        return P9_LOCK_ERROR;
    }
    carve(l, file, r, &who, &spare);
    free(spare);
    if (k) {
        struct lock **head = &l->bucket[bucket_of(file)];
        k->next = *head;
        *head = k;
        l->count++;
        join(l, k);
    }
    return P9_LOCK_SUCCESS;
}

void p9_locks_drop(struct p9_locks *l, u64 file, const void *via) {
    struct lock **at = &l->bucket[bucket_of(file)];
    while (*at) {
        struct lock *k = *at;
        if (k->file == file && k->via == via) {
            *at = k->next;
            free(k);
            l->count--;
        } else {
            at = &k->next;
        }
    }
}

unsigned p9_locks_count(const struct p9_locks *l) { return l->count; }
