// Reading the unpacked tree. Depends on base and the blob store's vtable only.
//
// All names live in one table, found through one hash over (directory, name); a directory chains
// its names in the order they came, and a readdir cookie is an index into that table, so reading a
// directory in pieces is linear. Inode numbers are table indices. Nothing here allocates.
//
// Rejected: children arrays in each directory (growth leaves holes, and 30,000 files mean thousands
// of small allocations); sorted names (building from a stream means re-sorting per insert).
#include "oci/imgtree.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "oci/imgtree_impl.h"

struct inode *imgtree_inode(const struct imgtree *t, u32 ino) {
    if (ino == NIL || ino >= t->ninodes || !t->inodes[ino].mode) return NULL;
    return &t->inodes[ino];
}

// FNV-1a over the directory's number and the name.
u32 imgtree_hash(u32 dir, const char *name, size_t len) {
    u32 h = (2166136261u ^ dir) * 16777619u;
    h ^= dir >> 13;
    for (size_t i = 0; i < len; i++) h = (h ^ (u8)name[i]) * 16777619u;
    return h ^ h >> 15;
}

static const char *pool_str(const struct imgtree *t, u32 off) {
    assert(off < t->pool.len && "pool offset out of range");
    return (const char *)t->pool.data + off;
}

u32 imgtree_find(const struct imgtree *t, u32 dir, const char *name, size_t len) {
    if (len == 0 || len > IMGTREE_NAME_MAX || !t->nbuckets) return NIL;
    u32 d = t->buckets[imgtree_hash(dir, name, len) & (t->nbuckets - 1)];
    for (; d != NIL; d = t->dirents[d].chain) {
        const struct dirent *e = &t->dirents[d];
        if (e->parent == dir && e->len == len && !memcmp(pool_str(t, e->name), name, len)) return d;
    }
    return NIL;
}

u32 imgtree_lookup(const struct imgtree *t, u32 dir, const char *name, size_t len) {
    u32 d = imgtree_find(t, dir, name, len);
    return d ? t->dirents[d].ino : 0;
}

u32 imgtree_parent(const struct imgtree *t, u32 dir) {
    const struct inode *i = imgtree_inode(t, dir);
    if (!i || !inode_is(i, T_DIR)) return 0;
    return i->self ? t->dirents[i->self].parent : IMGTREE_ROOT;
}

bool imgtree_stat(const struct imgtree *t, u32 ino, struct imgtree_stat *st) {
    const struct inode *i = imgtree_inode(t, ino);
    if (!i) return false;
    *st = (struct imgtree_stat){.ino = ino,
                                .mode = i->mode,
                                .uid = i->uid,
                                .gid = i->gid,
                                .nlink = i->nlink,
                                .mtime_s = i->mtime_s,
                                .mtime_ns = i->mtime_ns};
    switch (i->mode & T_MASK) {
    case T_REG:
        st->size = i->size;
        st->blocks = (i->stored + 511) / 512;
        break;
    case T_LNK:
        st->size = i->target_len;
        break;
    case T_DIR:
        st->size = 4096;
        break;
    case T_CHR:
    case T_BLK:
        st->rdev = i->rdev;
        break;
    default:
        break;
    }
    return true;
}

const char *imgtree_readlink(const struct imgtree *t, u32 ino, size_t *len) {
    const struct inode *i = imgtree_inode(t, ino);
    if (!i || !inode_is(i, T_LNK)) return NULL;
    if (len) *len = i->target_len;
    return i->target_len ? pool_str(t, i->target) : "";
}

// The extent that ends after `off`, by bisection.
static const struct extent *extent_at(const struct imgtree *t, const struct inode *i, u64 off) {
    u32 lo = 0, hi = i->extents;
    while (lo < hi) {
        u32 mid = lo + (hi - lo) / 2;
        const struct extent *x = &t->extents[i->extent + mid];
        if (x->off + x->len <= off)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < i->extents ? &t->extents[i->extent + lo] : NULL;
}

i64 imgtree_read(const struct imgtree *t, u32 ino, u64 off, u8 *dst, size_t len) {
    const struct inode *i = imgtree_inode(t, ino);
    if (!i || !inode_is(i, T_REG)) return -1;
    if (off >= i->size) return 0;
    if (len > i->size - off) len = (size_t)(i->size - off);
    struct extent whole = {0, i->stored, i->data};
    for (size_t done = 0; done < len;) {
        u64 at = off + done;
        size_t left = len - done, n = left;
        const struct extent *x = i->extents ? extent_at(t, i, at) : &whole;
        if (x && at >= x->off && at - x->off < x->len) {
            u64 in = at - x->off;
            if (n > x->len - in) n = (size_t)(x->len - in);
            if (!t->store.read(t->store.arg, x->data + in, dst + done, n)) return -1;
        } else { // a hole up to the next extent
            if (x && x->off > at && n > x->off - at) n = (size_t)(x->off - at);
            memset(dst + done, 0, n);
        }
        done += n;
    }
    return (i64)len;
}

bool imgtree_readdir(const struct imgtree *t, u32 dir, u64 cookie, struct imgtree_dirent *de) {
    const struct inode *i = imgtree_inode(t, dir);
    if (!i || !inode_is(i, T_DIR)) return false;
    u32 d = i->first;
    if (cookie) {
        if (cookie >= t->ndirents) return false;
        const struct dirent *prev = &t->dirents[cookie];
        if (prev->ino == NIL || prev->parent != dir) return false; // not a cookie of this directory
        d = prev->next;
    }
    if (d == NIL) return false;
    const struct dirent *e = &t->dirents[d];
    *de = (struct imgtree_dirent){.name = pool_str(t, e->name),
                                  .len = e->len,
                                  .ino = e->ino,
                                  .mode = t->inodes[e->ino].mode,
                                  .next = d};
    return true;
}

bool imgtree_xattr_next(const struct imgtree *t, u32 ino, u32 *pos, struct imgtree_xattr *x) {
    const struct inode *i = imgtree_inode(t, ino);
    if (!i || !i->xattrs) return false;
    const u8 *p = t->pool.data + i->xattrs;
    u32 total = get_le32(p);
    p += XATTR_HEADER;
    if (*pos >= total) return false;
    u32 nlen = get_le16(p + *pos), vlen = get_le32(p + *pos + 2);
    x->name = (const char *)p + *pos + XATTR_ENTRY;
    x->value = p + *pos + XATTR_ENTRY + nlen + 1;
    x->len = vlen;
    *pos += XATTR_ENTRY + nlen + 1 + vlen;
    return true;
}

bool imgtree_xattr_get(const struct imgtree *t, u32 ino, const char *name,
                       struct imgtree_xattr *x) {
    for (u32 pos = 0; imgtree_xattr_next(t, ino, &pos, x);)
        if (!strcmp(x->name, name)) return true;
    return false;
}

// Resolution state: what is left of the path; symlink targets are put before the rest.
u32 imgtree_resolve(const struct imgtree *t, const char *path, bool follow) {
    enum { PATH = 8192, LINKS = 40 };
    char rest[PATH];
    size_t n = strlen(path);
    if (n >= sizeof rest) return 0;
    memcpy(rest, path, n + 1);
    u32 at = IMGTREE_ROOT;
    unsigned links = 0;
    for (size_t pos = 0;;) {
        while (rest[pos] == '/') pos++;
        if (!rest[pos]) return at;
        const struct inode *dir = imgtree_inode(t, at);
        if (!dir || !inode_is(dir, T_DIR)) return 0;
        size_t len = strcspn(rest + pos, "/");
        const char *name = rest + pos;
        pos += len;
        if (len == 1 && name[0] == '.') continue;
        if (len == 2 && name[0] == '.' && name[1] == '.') {
            at = imgtree_parent(t, at);
            continue;
        }
        u32 ino = imgtree_lookup(t, at, name, len);
        if (!ino) return 0;
        size_t tlen;
        const char *target = imgtree_readlink(t, ino, &tlen);
        bool last = rest[pos] == '\0';
        if (!target || (last && !follow)) {
            if (!last && !inode_is(imgtree_inode(t, ino), T_DIR)) return 0;
            at = ino;
            continue;
        }
        size_t tail = strlen(rest + pos);
        if (++links > LINKS || tlen == 0 || tlen + tail + 1 > sizeof rest) return 0;
        memmove(rest + tlen, rest + pos, tail + 1);
        memcpy(rest, target, tlen);
        pos = 0;
        if (target[0] == '/') at = IMGTREE_ROOT;
    }
}

int imgtree_read_file(const struct imgtree *t, const char *path, u64 max, struct buf *out,
                      struct err *err) {
    u32 ino = imgtree_resolve(t, path, true);
    const struct inode *i = imgtree_inode(t, ino);
    if (!i) return err_set(err, ERR_NOTFOUND, "the image has no file %s", path);
    if (!inode_is(i, T_REG))
        return err_set(err, ERR_INVALID, "%s in the image is not a regular file", path);
    size_t n = (size_t)(i->size < max ? i->size : max);
    if (!buf_reserve(out, n)) return err_set(err, ERR_NOMEM, "out of memory reading %s", path);
    if (imgtree_read(t, ino, 0, out->data + out->len, n) != (i64)n)
        return err_set(err, ERR_IO, "%s in the image could not be read back from storage", path);
    out->len += n;
    return 0;
}

void imgtree_usage(const struct imgtree *t, struct imgtree_usage *u) {
    *u = (struct imgtree_usage){0};
    for (u32 i = 1; i < t->ninodes; i++) {
        const struct inode *n = &t->inodes[i];
        if (!n->mode) continue;
        u->inodes++;
        if (inode_is(n, T_REG)) u->stored += n->stored;
    }
    u->names = t->live_dirents;
    u->memory = sizeof *t + (u64)t->cap_inodes * sizeof *t->inodes +
                (u64)t->cap_dirents * sizeof *t->dirents + (u64)t->nbuckets * sizeof *t->buckets +
                (u64)t->cap_extents * sizeof *t->extents + t->pool.cap;
}
