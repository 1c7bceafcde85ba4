// The tree of nodes of the remote back end: what exists, under which name, and with which
// attributes.
//
// Depends on base and remote.h. Every entry that a listing or the guest made known stays a node
// while it exists, so that its number and the attributes kept beside it last; REMOTE_MAX_NODES
// bounds them. A node without a place (detached) lives until its last reference goes.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "p9/remote.h"

static size_t hash_of(u64 dir, const char *name) {
    u64 h = dir * 0x9e3779b97f4a7c15ull;
    for (; *name; name++) h = (h ^ (u8)*name) * 0x100000001b3ull;
    return (size_t)(h ^ h >> 32);
}

static struct fs_node **bucket(const struct remote *r, const struct fs_node *dir,
                               const char *name) {
    return &r->table[hash_of(dir->ino, name) & (r->buckets - 1)];
}

struct fs_node *node_child(const struct remote *r, const struct fs_node *dir, const char *name) {
    if (!r->buckets) return NULL;
    for (struct fs_node *n = *bucket(r, dir, name); n; n = n->hash_next)
        if (n->parent == dir && !strcmp(n->name, name)) return n;
    return NULL;
}

static bool table_grow(struct remote *r) {
    if (r->nodes < r->buckets) return true;
    size_t want = r->buckets ? r->buckets * 2 : 256;
    struct fs_node **table = calloc(want, sizeof *table);
    if (!table) return r->buckets != 0; // longer chains will do
    for (size_t b = 0; b < r->buckets; b++)
        for (struct fs_node *n = r->table[b], *next; n; n = next) {
            next = n->hash_next;
            struct fs_node **at = &table[hash_of(n->parent->ino, n->name) & (want - 1)];
            n->hash_next = *at;
            *at = n;
        }
    free(r->table);
    r->table = table;
    r->buckets = want;
    return true;
}

static void place(struct remote *r, struct fs_node *n, struct fs_node *dir) {
    struct fs_node **at = bucket(r, dir, n->name);
    n->hash_next = *at;
    *at = n;
    n->parent = dir;
    n->next = dir->child;
    n->link = &dir->child;
    if (n->next) n->next->link = &n->next;
    dir->child = n;
}

static void unplace(struct remote *r, struct fs_node *n) {
    struct fs_node **at = bucket(r, n->parent, n->name);
    while (*at != n) at = &(*at)->hash_next;
    *at = n->hash_next;
    *n->link = n->next;
    if (n->next) n->next->link = n->link;
    n->parent = NULL;
}

struct fs_node *node_new(struct remote *r, struct fs_node *dir, const char *name, u32 kind) {
    if (r->nodes >= REMOTE_MAX_NODES || !table_grow(r)) return NULL;
    struct fs_node *n = calloc(1, sizeof *n);
    if (!n || !(n->name = strdup(name))) {
        free(n);
        return NULL;
    }
    n->kind = kind;
    n->ino = r->next_ino++;
    n->version = 1;
    n->born = r->seq;
    n->ctime_ns = remote_now(r);
    data_guess(n);
    r->nodes++;
    if (dir) place(r, n, dir);
    return n;
}

static void node_free(struct remote *r, struct fs_node *n) {
    assert(!n->child && !n->dirty_link && "a freed node has no ties");
    data_drop(r, n);
    r->nodes--;
    free(n->name);
    free(n->target);
    free(n);
}

void node_get(struct fs_node *n) { n->refs++; }

void node_put(struct remote *r, struct fs_node *n) {
    if (n && !--n->refs && n->detached) node_free(r, n);
}

// Leaves first, without recursion: the guest decides how deep its directories are.
void node_detach(struct remote *r, struct fs_node *top) {
    assert(top != r->root && "the root stays");
    struct fs_node *n = top, *up;
    do {
        while (n->child) n = n->child;
        up = n == top ? NULL : n->parent;
        if (n->dirty) data_clean(r, n); // nowhere to write it to
        unplace(r, n);
        n->detached = true;
        node_touch(r, n);
        if (!n->refs) node_free(r, n);
        n = up;
    } while (n);
}

bool node_move(struct remote *r, struct fs_node *n, struct fs_node *dir, const char *name) {
    char *copy = strdup(name);
    if (!copy) return false;
    unplace(r, n);
    free(n->name);
    n->name = copy;
    place(r, n, dir);
    node_touch(r, n);
    if (n->exec != EXEC_YES) data_guess(n);
    return true;
}

bool node_below(const struct fs_node *n, const struct fs_node *top) {
    while (n && n != top) n = n->parent;
    return n != NULL;
}

char *node_path(const struct fs_node *n, const char *name) {
    size_t len = name ? strlen(name) + 1 : 0;
    const struct fs_node *top = n;
    for (; top->parent; top = top->parent) len += strlen(top->name) + 1;
    char *path = top->detached || len > REMOTE_MAX_PATH ? NULL : malloc(len + 1);
    if (!path) return NULL;
    path[len] = 0;
    size_t at = len;
    if (name) {
        at -= strlen(name);
        memcpy(path + at, name, strlen(name));
        path[--at] = '/';
    }
    for (; n->parent; n = n->parent) {
        size_t k = strlen(n->name);
        at -= k;
        memcpy(path + at, n->name, k);
        path[--at] = '/';
    }
    memmove(path, path + (len != 0), len + (len == 0)); // without the leading '/'
    return path;
}

void node_touch(const struct remote *r, struct fs_node *n) { n->ctime_ns = remote_now(r); }

// Modes are kept beside; until the guest sets one it is guessed: what looks like a program may be
// run.
static u32 mode_of(const struct fs_node *n) {
    if (n->mode_set) return n->mode;
    if (n->kind == LX_S_IFDIR) return 0755;
    u32 mode = n->exec == EXEC_YES ? 0755 : 0644;
    return n->readonly ? mode & ~0222u : mode;
}

static void split_ns(u64 ns, u64 *s, u32 *rest) {
    *s = ns / 1000000000u;
    *rest = (u32)(ns % 1000000000u);
}

void node_attr(const struct remote *r, const struct fs_node *n, struct fs_attr *a) {
    u64 mtime = n->mtime_set ? n->mtime_ns : n->token.mtime_ms * 1000000u;
    u64 size = n->target               ? strlen(n->target)
               : n->kind == LX_S_IFDIR ? 4096
               : n->loaded             ? n->size
                                       : n->token.size;
    *a = (struct fs_attr){
        .ino = n->ino,
        .version = n->version,
        .mode = n->kind | mode_of(n),
        .uid = n->uid_set ? n->uid : r->set.uid,
        .gid = n->gid_set ? n->gid : r->set.gid,
        .nlink = n->detached             ? 0
                 : n->kind == LX_S_IFDIR ? 2
                                         : 1,
        .rdev = n->rdev,
        .size = size,
        .blksize = 4096,
        .blocks = n->kind == LX_S_IFREG ? (size + 511) / 512 : 0,
    };
    split_ns(mtime, &a->mtime_s, &a->mtime_ns);
    split_ns(n->atime_set ? n->atime_ns : mtime, &a->atime_s, &a->atime_ns);
    split_ns(n->ctime_ns, &a->ctime_s, &a->ctime_ns);
}
