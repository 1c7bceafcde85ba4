// An unpacked tree as bytes and back, so that a host can keep it beside its blob store.
//
//   header:  "berthtr1" | u32 records
//   record:  u32 parent inode | u32 inode | u8 name length | name | body
//            inode 0: body is a new inode, which gets the next number (the root has 1);
//            else: another name of the inode of that number, no body
//   inode:   u32 mode, uid, gid | u64 mtime_s | u32 mtime_ns | u32 xattr bytes | xattrs (packed
//   set)
//            REG: u64 size | u32 n | n * (u64 off, len, data)   LNK: u32 n | n bytes   CHR, BLK:
//            u64
//   all little endian; the root comes first (parent 0, no name), parents before their children.
//
// Loading replays the records through the building functions with every reference checked, so bytes
// from a damaged cache cannot make a tree that breaks the invariants of imgtree_build.c.
#include <stdlib.h>
#include <string.h>

#include "oci/imgtree_impl.h"

static const char MAGIC[] = {'b', 'e', 'r', 't', 'h', 't', 'r', '1'}; // no NUL

static void put_contents(const struct imgtree *t, const struct inode *i, struct buf *out) {
    struct extent whole = {0, i->stored, i->data};
    const struct extent *x = i->extents ? &t->extents[i->extent] : &whole;
    u32 n = i->extents ? i->extents : i->stored > 0;
    buf_put_le64(out, i->size);
    buf_put_le32(out, n);
    for (u32 k = 0; k < n; k++) {
        buf_put_le64(out, x[k].off);
        buf_put_le64(out, x[k].len);
        buf_put_le64(out, x[k].data);
    }
}

static void put_inode(const struct imgtree *t, const struct inode *i, struct buf *out) {
    buf_put_le32(out, i->mode);
    buf_put_le32(out, i->uid);
    buf_put_le32(out, i->gid);
    buf_put_le64(out, (u64)i->mtime_s);
    buf_put_le32(out, i->mtime_ns);
    u32 nx = i->xattrs ? get_le32(t->pool.data + i->xattrs) : 0;
    buf_put_le32(out, nx);
    if (nx) buf_put(out, t->pool.data + i->xattrs + XATTR_HEADER, nx);
    switch (i->mode & T_MASK) {
    case T_REG:
        put_contents(t, i, out);
        break;
    case T_LNK:
        buf_put_le32(out, i->target_len);
        buf_put(out, t->pool.data + i->target, i->target_len);
        break;
    case T_CHR:
    case T_BLK:
        buf_put_le64(out, i->rdev);
        break;
    default:
        break;
    }
}

int imgtree_save(const struct imgtree *t, struct buf *out, struct err *err) {
    u32 *number = calloc(t->ninodes, sizeof *number); // new number by old
    if (!number) return err_set(err, ERR_NOMEM, "out of memory saving the unpacked image");
    u32 count = IMGTREE_ROOT;
    number[IMGTREE_ROOT] = IMGTREE_ROOT;
    buf_put(out, MAGIC, sizeof MAGIC);
    buf_put_le32(out, t->live_dirents + 1);
    buf_put_le32(out, NIL);
    buf_put_le32(out, NIL);
    buf_put_u8(out, 0);
    put_inode(t, &t->inodes[IMGTREE_ROOT], out);
    for (u32 dir = IMGTREE_ROOT, d = t->inodes[dir].first;;) { // pre-order
        if (!d) {
            u32 self = t->inodes[dir].self;
            if (!self) break;
            dir = t->dirents[self].parent;
            d = t->dirents[self].next;
            continue;
        }
        const struct dirent *e = &t->dirents[d];
        const struct inode *i = &t->inodes[e->ino];
        buf_put_le32(out, number[e->parent]);
        buf_put_le32(out, number[e->ino]);
        buf_put_u8(out, e->len);
        buf_put(out, t->pool.data + e->name, e->len);
        if (!number[e->ino]) {
            number[e->ino] = ++count;
            put_inode(t, i, out);
        }
        if (inode_is(i, T_DIR)) {
            dir = e->ino;
            d = i->first;
        } else {
            d = e->next;
        }
    }
    free(number);
    return out->oom ? err_set(err, ERR_NOMEM, "out of memory saving the unpacked image") : 0;
}

int imgtree_compact(struct imgtree **t, struct err *err) {
    struct buf b = {0};
    int r = imgtree_save(*t, &b, err);
    struct imgtree *n = r < 0 ? NULL : imgtree_load(b.data, b.len, &(*t)->store, UINT64_MAX, err);
    buf_free(&b);
    if (!n) return err ? -err->code : -(int)ERR_NOMEM;
    imgtree_destroy(*t);
    *t = n;
    return 0;
}

struct load {
    struct imgtree *t;
    struct rd r;
    u64 store_size;
    struct err *err;
};

static int bad(struct load *l, const char *what) {
    return err_set(l->err, ERR_CORRUPT, "the saved image tree is damaged (%s): delete it", what);
}

static int get_contents(struct load *l, u32 ino) {
    u64 size = rd_le64(&l->r);
    u32 n = rd_le32(&l->r);
    if (l->r.bad || n > rd_left(&l->r) / 24 || size > INT64_MAX) return bad(l, "contents");
    u64 end = 0;
    for (u32 k = 0; k < n; k++) {
        u64 off = rd_le64(&l->r), len = rd_le64(&l->r), data = rd_le64(&l->r);
        if (off < end || off > size || len == 0 || len > size - off) return bad(l, "extent");
        if (data > l->store_size || len > l->store_size - data) return bad(l, "extent position");
        end = off + len;
        if (imgtree_add_extent(l->t, &l->t->inodes[ino], off, data, len, l->err) < 0) return -1;
    }
    imgtree_set_size(l->t, ino, size);
    return 0;
}

static bool type_ok(u32 type) {
    return type == T_REG || type == T_DIR || type == T_LNK || type == T_CHR || type == T_BLK ||
           type == T_FIFO || type == T_SOCK;
}

// The next record's inode into *ino; the root's is there already.
static int get_inode(struct load *l, bool root, u32 *out) {
    u32 mode = rd_le32(&l->r);
    struct imgtree_meta m = {.mode = mode & 07777};
    m.uid = rd_le32(&l->r);
    m.gid = rd_le32(&l->r);
    m.mtime_s = (i64)rd_le64(&l->r);
    m.mtime_ns = rd_le32(&l->r);
    u32 nx = rd_le32(&l->r);
    const u8 *x = rd_bytes(&l->r, nx);
    if (l->r.bad || mode >> 16 || m.mtime_ns >= 1000000000) return bad(l, "metadata");
    if (!type_ok(mode & T_MASK) || (root && (mode & T_MASK) != T_DIR)) return bad(l, "file type");
    u32 ino = root ? (u32)IMGTREE_ROOT : imgtree_new(l->t, mode, &m, l->err);
    if (ino == NIL) return -1;
    *out = ino;
    if (root) imgtree_set_meta(l->t, ino, &m);
    if (nx && !imgtree_xattrs_valid(x, nx)) return bad(l, "xattrs");
    if (imgtree_put_xattrs(l->t, ino, x, nx, l->err) < 0) return -1;
    switch (mode & T_MASK) {
    case T_REG:
        return get_contents(l, ino);
    case T_LNK: {
        u32 n = rd_le32(&l->r);
        const u8 *p = rd_bytes(&l->r, n);
        if (!p || n > IMGTREE_LINK_MAX || memchr(p, 0, n)) return bad(l, "symlink");
        return imgtree_set_link(l->t, ino, (const char *)p, n, l->err);
    }
    case T_CHR:
    case T_BLK:
        l->t->inodes[ino].rdev = rd_le64(&l->r);
        break;
    case T_DIR:
    case T_FIFO:
    case T_SOCK:
        break;
    default:
        return bad(l, "file type");
    }
    return l->r.bad ? bad(l, "short") : 0;
}

static bool name_ok(const char *s, size_t n) {
    if (n == 0 || memchr(s, '/', n) || memchr(s, 0, n)) return false;
    return !(s[0] == '.' && (n == 1 || (n == 2 && s[1] == '.')));
}

static int get_record(struct load *l) {
    u32 parent = rd_le32(&l->r), ino = rd_le32(&l->r);
    u8 len = rd_u8(&l->r);
    const char *name = (const char *)rd_bytes(&l->r, len);
    struct inode *dir = imgtree_inode(l->t, parent);
    if (!name || !dir || !inode_is(dir, T_DIR) || !name_ok(name, len)) return bad(l, "name");
    if (imgtree_find(l->t, parent, name, len)) return bad(l, "name twice");
    if (ino) {
        struct inode *i = imgtree_inode(l->t, ino);
        if (!i || inode_is(i, T_DIR)) return bad(l, "hard link");
    } else if (get_inode(l, false, &ino) < 0) {
        return -1;
    }
    // Layer 0: a loaded tree takes no more layers, so stamps no longer matter.
    return imgtree_link(l->t, parent, name, len, ino, 0, l->err);
}

struct imgtree *imgtree_load(const void *p, size_t n, const struct blob_store *store,
                             u64 store_size, struct err *err) {
    struct load l = {.r = rd_of(p, n), .store_size = store_size, .err = err};
    const u8 *magic = rd_bytes(&l.r, sizeof MAGIC);
    u32 records = rd_le32(&l.r);
    if (!magic || memcmp(magic, MAGIC, sizeof MAGIC) || records == 0) {
        bad(&l, "header");
        return NULL;
    }
    l.t = imgtree_create(store);
    if (!l.t) {
        err_set(err, ERR_NOMEM, "out of memory loading the unpacked image");
        return NULL;
    }
    int r = 0;
    u32 root;
    if (rd_le32(&l.r) != NIL || rd_le32(&l.r) != NIL || rd_u8(&l.r)) r = bad(&l, "root record");
    if (r == 0) r = get_inode(&l, true, &root);
    for (u32 k = 1; k < records && r == 0; k++) r = get_record(&l);
    if (r == 0 && (l.r.bad || rd_left(&l.r))) r = bad(&l, "length");
    if (r < 0) {
        imgtree_destroy(l.t);
        return NULL;
    }
    return l.t;
}
