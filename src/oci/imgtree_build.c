// Building the unpacked tree: inodes, names, contents, removal. Depends on base and the blob store.
//
// Invariants: every live name points at a live inode; a directory has exactly one name (the root
// none) and nlink = 2 + subdirectories; any other inode's nlink is its number of names, and one
// without a name exists only between imgtree_new and imgtree_link. Removal never recurses: depth is
// hostile.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "oci/imgtree_impl.h"

// Bounds against hostile layers: names, targets and xattrs; pieces of sparse files.
enum { POOL_MAX = 1 << 30, EXTENTS_MAX = 1 << 23 };

static int oom(struct err *err) {
    return err_set(err, ERR_NOMEM, "out of memory while unpacking the image");
}

// Grows a table of `size`-byte rows so that row `n` exists; new rows are zero.
static bool grow(void **rows, u32 *cap, u32 n, size_t size) {
    if (n < *cap) return true;
    u32 want = *cap ? *cap + *cap / 2 : 64;
    if (want <= n) want = n + 1;
    if (n == UINT32_MAX || want > SIZE_MAX / size) return false;
    u8 *p = realloc(*rows, (size_t)want * size);
    if (!p) return false;
    memset(p + (size_t)*cap * size, 0, (size_t)(want - *cap) * size);
    *rows = p;
    *cap = want;
    return true;
}

struct imgtree *imgtree_create(const struct blob_store *store) {
    struct imgtree *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->store = *store;
    t->ninodes = t->ndirents = t->nextents = 1;
    buf_put_u8(&t->pool, 0); // offset 0 means none
    struct imgtree_meta m = {.mode = 0755};
    if (t->pool.oom || imgtree_new(t, T_DIR, &m, NULL) != IMGTREE_ROOT) {
        imgtree_destroy(t);
        return NULL;
    }
    return t;
}

void imgtree_destroy(struct imgtree *t) {
    if (!t) return;
    free(t->inodes);
    free(t->dirents);
    free(t->buckets);
    free(t->extents);
    buf_free(&t->pool);
    free(t);
}

// Appends bytes to the pool; NIL when memory runs out or POOL_MAX is reached.
static u32 pool_add(struct imgtree *t, const void *p, size_t n) {
    size_t at = t->pool.len;
    if (n > POOL_MAX || at > POOL_MAX - n || !buf_reserve(&t->pool, n)) return NIL;
    buf_put(&t->pool, p, n);
    return (u32)at;
}

static u32 pool_add_str(struct imgtree *t, const char *s, size_t n) {
    if (!buf_reserve(&t->pool, n + 1)) return NIL;
    u32 at = pool_add(t, s, n);
    if (at != NIL) buf_put_u8(&t->pool, 0);
    return at;
}

void imgtree_set_meta(struct imgtree *t, u32 ino, const struct imgtree_meta *m) {
    struct inode *i = imgtree_inode(t, ino);
    assert(i && "metadata for an inode that exists");
    i->mode = (i->mode & T_MASK) | (m->mode & 07777);
    i->uid = m->uid;
    i->gid = m->gid;
    i->mtime_s = m->mtime_s;
    i->mtime_ns = m->mtime_ns;
}

u32 imgtree_new(struct imgtree *t, u32 mode, const struct imgtree_meta *m, struct err *err) {
    u32 ino = t->free_inode ? t->free_inode : t->ninodes;
    if (!grow((void **)&t->inodes, &t->cap_inodes, ino, sizeof *t->inodes)) {
        oom(err);
        return NIL;
    }
    struct inode *i = &t->inodes[ino];
    if (t->free_inode)
        t->free_inode = i->first;
    else
        t->ninodes++;
    *i = (struct inode){.mode = mode & T_MASK, .nlink = (mode & T_MASK) == T_DIR ? 2 : 0};
    imgtree_set_meta(t, ino, m);
    return ino;
}

static void inode_free(struct imgtree *t, u32 ino) {
    t->inodes[ino] = (struct inode){.first = t->free_inode};
    t->free_inode = ino;
}

int imgtree_set_link(struct imgtree *t, u32 ino, const char *target, size_t len, struct err *err) {
    assert(inode_is(&t->inodes[ino], T_LNK) && len <= IMGTREE_LINK_MAX && "target of a symlink");
    u32 at = pool_add_str(t, target, len);
    if (at == NIL) return oom(err);
    t->inodes[ino].target = at;
    t->inodes[ino].target_len = (u32)len;
    return 0;
}

// Linux's new_encode_dev layout widened as glibc's makedev does.
void imgtree_set_rdev(struct imgtree *t, u32 ino, u32 major, u32 minor) {
    u64 ma = major, mi = minor;
    t->inodes[ino].rdev =
        (mi & 0xff) | (ma & 0xfff) << 8 | (mi & ~(u64)0xff) << 12 | (ma & ~(u64)0xfff) << 32;
}

bool imgtree_xattrs_valid(const u8 *p, u32 n) {
    struct rd r = rd_of(p, n);
    while (rd_left(&r) && !r.bad) {
        u32 nlen = rd_le16(&r), vlen = rd_le32(&r);
        const u8 *name = rd_bytes(&r, (size_t)nlen + 1);
        if (!name || nlen == 0 || nlen > 255 || memchr(name, 0, nlen + 1) != name + nlen)
            return false;
        if (vlen > IMGTREE_XATTR_MAX) return false;
        rd_bytes(&r, vlen);
    }
    return !r.bad;
}

int imgtree_put_xattrs(struct imgtree *t, u32 ino, const u8 *packed, u32 n, struct err *err) {
    u8 head[XATTR_HEADER];
    put_le32(head, n);
    t->inodes[ino].xattrs = NIL;
    if (n == 0) return 0;
    if (!buf_reserve(&t->pool, sizeof head + n)) return oom(err);
    u32 at = pool_add(t, head, sizeof head);
    if (at == NIL || pool_add(t, packed, n) == NIL) return oom(err);
    t->inodes[ino].xattrs = at;
    return 0;
}

int imgtree_set_xattrs(struct imgtree *t, u32 ino, const struct imgtree_xattr *x, unsigned n,
                       struct err *err) {
    struct buf b = {0};
    for (unsigned k = 0; k < n; k++) {
        size_t len = strlen(x[k].name);
        assert(len <= 255 && x[k].len <= IMGTREE_XATTR_MAX && "xattr bounded by the caller");
        buf_put_le16(&b, (u16)len);
        buf_put_le32(&b, x[k].len);
        buf_put(&b, x[k].name, len + 1);
        buf_put(&b, x[k].value, x[k].len);
    }
    int r = b.oom || b.len > UINT32_MAX ? oom(err)
                                        : imgtree_put_xattrs(t, ino, b.data, (u32)b.len, err);
    buf_free(&b);
    return r;
}

int imgtree_add_extent(struct imgtree *t, struct inode *i, u64 off, u64 data, u64 n,
                       struct err *err) {
    if (i->extents == 0 && off == i->stored && (off == 0 || data == i->data + off)) {
        if (off == 0) i->data = data; // the common case: one piece from the start, no extent needed
        i->stored += n;
        return 0;
    }
    bool convert = i->extents == 0 && i->stored > 0;
    if (t->nextents > EXTENTS_MAX)
        return err_set(err, ERR_LIMIT, "the image's sparse files have more than %d pieces",
                       EXTENTS_MAX);
    if (!grow((void **)&t->extents, &t->cap_extents, t->nextents + 1, sizeof *t->extents))
        return oom(err);
    if (i->extents == 0) {
        i->extent = t->nextents;
        if (convert) t->extents[t->nextents++] = (struct extent){0, i->stored, i->data};
        i->extents = convert;
    }
    struct extent *last = i->extents ? &t->extents[i->extent + i->extents - 1] : NULL;
    assert((!last || off >= last->off + last->len) && "contents are appended in order");
    assert(i->extent + i->extents == t->nextents && "one file is written at a time");
    i->stored += n;
    if (last && off == last->off + last->len && data == last->data + last->len) {
        last->len += n;
    } else {
        t->extents[t->nextents++] = (struct extent){off, n, data};
        i->extents++;
    }
    return 0;
}

int imgtree_append(struct imgtree *t, u32 ino, u64 off, const u8 *p, size_t n, struct err *err) {
    if (n == 0) return 0;
    u64 data;
    if (!t->store.append(t->store.arg, p, n, &data))
        return err_set(err, ERR_IO,
                       "could not store unpacked file contents: is there space left on the device "
                       "(or in the browser's quota)?");
    struct inode *i = imgtree_inode(t, ino);
    assert(i && inode_is(i, T_REG) && "contents belong to a regular file");
    if (off + n > i->size) i->size = off + n;
    return imgtree_add_extent(t, i, off, data, n, err);
}

void imgtree_set_size(struct imgtree *t, u32 ino, u64 size) {
    assert(size >= t->inodes[ino].stored && "a file is at least as long as its contents");
    t->inodes[ino].size = size;
}

static bool rehash(struct imgtree *t) {
    u32 want = t->nbuckets ? t->nbuckets : 64;
    while (want <= t->live_dirents && want < 1u << 30) want *= 2;
    if (want == t->nbuckets) return true;
    u32 *b = calloc(want, sizeof *b);
    if (!b) return t->nbuckets != 0; // slower, not wrong
    for (u32 d = 1; d < t->ndirents; d++) {
        struct dirent *e = &t->dirents[d];
        if (e->ino == NIL) continue;
        u32 h = imgtree_hash(e->parent, (char *)t->pool.data + e->name, e->len) & (want - 1);
        e->chain = b[h];
        b[h] = d;
    }
    free(t->buckets);
    t->buckets = b;
    t->nbuckets = want;
    return true;
}

int imgtree_link(struct imgtree *t, u32 dir, const char *name, size_t len, u32 ino, u32 layer,
                 struct err *err) {
    assert(len > 0 && len <= IMGTREE_NAME_MAX && "name checked by the caller");
    assert(!imgtree_find(t, dir, name, len) && "name is free");
    u32 d = t->free_dirent ? t->free_dirent : t->ndirents;
    if (!grow((void **)&t->dirents, &t->cap_dirents, d, sizeof *t->dirents) || !rehash(t))
        return oom(err);
    u32 at = pool_add_str(t, name, len);
    if (at == NIL) return oom(err);
    if (d == t->free_dirent)
        t->free_dirent = t->dirents[d].next;
    else
        t->ndirents++;
    struct inode *p = &t->inodes[dir], *i = &t->inodes[ino];
    assert(inode_is(p, T_DIR) && "names go into directories");
    u32 *bucket = &t->buckets[imgtree_hash(dir, name, len) & (t->nbuckets - 1)];
    t->dirents[d] = (struct dirent){.name = at,
                                    .ino = ino,
                                    .parent = dir,
                                    .prev = p->last,
                                    .chain = *bucket,
                                    .layer = layer,
                                    .len = (u8)len};
    *bucket = d;
    if (p->last)
        t->dirents[p->last].next = d;
    else
        p->first = d;
    p->last = d;
    t->live_dirents++;
    if (inode_is(i, T_DIR)) {
        assert(!i->self && ino != IMGTREE_ROOT && "a directory has one name");
        i->self = d;
        p->nlink++;
    } else {
        i->nlink++;
    }
    return 0;
}

void imgtree_touch(struct imgtree *t, u32 dir, const char *name, size_t len, u32 layer) {
    u32 d = imgtree_find(t, dir, name, len);
    if (d) t->dirents[d].layer = layer;
}

u32 imgtree_layer_of(const struct imgtree *t, u32 dir, const char *name, size_t len) {
    u32 d = imgtree_find(t, dir, name, len);
    return d ? t->dirents[d].layer : 0;
}

// Takes one name away; a directory must be empty. Frees the inode with its last name.
static void unlink_dirent(struct imgtree *t, u32 d) {
    struct dirent e = t->dirents[d];
    struct inode *p = &t->inodes[e.parent], *i = &t->inodes[e.ino];
    const char *name = (const char *)t->pool.data + e.name;
    u32 *link = &t->buckets[imgtree_hash(e.parent, name, e.len) & (t->nbuckets - 1)];
    while (*link != d) link = &t->dirents[*link].chain;
    *link = e.chain;
    if (e.prev)
        t->dirents[e.prev].next = e.next;
    else
        p->first = e.next;
    if (e.next)
        t->dirents[e.next].prev = e.prev;
    else
        p->last = e.prev;
    if (inode_is(i, T_DIR)) {
        assert(!i->first && "only empty directories are unlinked");
        p->nlink--;
        inode_free(t, e.ino);
    } else if (--i->nlink == 0) {
        inode_free(t, e.ino);
    }
    t->dirents[d] = (struct dirent){.next = t->free_dirent};
    t->free_dirent = d;
    t->live_dirents--;
}

static u32 first_child(const struct imgtree *t, u32 d) {
    const struct inode *i = &t->inodes[t->dirents[d].ino];
    return inode_is(i, T_DIR) ? i->first : NIL;
}

void imgtree_remove(struct imgtree *t, u32 dir, const char *name, size_t len) {
    u32 top = imgtree_find(t, dir, name, len);
    if (!top) return;
    for (u32 d = top;;) {
        u32 child = first_child(t, d);
        if (child) {
            d = child;
            continue;
        }
        u32 up = t->inodes[t->dirents[d].parent].self;
        unlink_dirent(t, d);
        if (d == top) return;
        d = up;
    }
}

// Post-order walk: a name goes when it is not of `layer` and nothing of `layer` is left below it.
void imgtree_prune(struct imgtree *t, u32 dir, u32 layer) {
    u32 d = t->inodes[dir].first;
    while (d) {
        u32 child = first_child(t, d);
        if (child) {
            d = child;
            continue;
        }
        for (;;) { // everything below d is done
            u32 parent = t->dirents[d].parent, next = t->dirents[d].next;
            if (t->dirents[d].layer != layer && !first_child(t, d)) unlink_dirent(t, d);
            d = next;
            if (next || parent == dir) break;
            d = t->inodes[parent].self;
        }
    }
}
