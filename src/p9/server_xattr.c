// Extended attributes. Txattrwalk makes a fid that holds the value (or the list of names) as it is
// now, read with Tread. Txattrcreate turns a fid into one that collects a value through Twrite;
// Tclunk sets it. A size of 0 with XATTR_REPLACE removes, as Linux's client asks for
// removexattr(2).
//
// Depends on the session (session.h). A value is bounded by XATTR_SIZE_MAX before it is allocated.
#include <stdlib.h>
#include <string.h>

#include "p9/session.h"

// Attribute names may hold '/', but not be longer than a file's.
static int check_xattr_name(struct p9_str name) {
    if (!name.len || memchr(name.p, 0, name.len)) return LX_EINVAL;
    if (name.len > LX_NAME_MAX) return LX_ERANGE;
    p9_cstr(name);
    return 0;
}

static void xattrwalk_done(struct p9_req *r, const struct fs_result *res) {
    int err;
    struct p9_fid *f = p9_fid_new(r->s, r->m.Txattrwalk.newfid, &err);
    if (!f) {
        p9_req_fail(r, err);
        return;
    }
    f->kind = FID_XATTR_READ;
    f->xattr = r->out;
    f->xattr_len = res->count;
    r->out = NULL;
    u8 *exact = realloc(f->xattr, res->count ? res->count : 1);
    if (exact) f->xattr = exact;
    struct p9_msg m = {.Rxattrwalk.size = res->count};
    p9_fid_put(f);
    p9_req_ok(r, &m);
}

void p9_do_Txattrwalk(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    const struct p9_Txattrwalk *t = &r->m.Txattrwalk;
    if (!p9_req_fid(r, t->fid)) return;
    int err = !r->node || p9_fid_find(r->s, t->newfid) ? LX_EBADF
              : !fs->ops->getxattr                     ? LX_EOPNOTSUPP
              : t->name.len                            ? check_xattr_name(t->name)
                                                       : 0;
    if (!err && !(r->out = malloc(LX_XATTR_SIZE_MAX))) err = LX_ENOMEM;
    if (err) {
        p9_req_fail(r, err);
        return;
    }
    p9_req_start(r, xattrwalk_done);
    fs->ops->getxattr(fs, r->node, t->name.len ? t->name.p : NULL, r->out, LX_XATTR_SIZE_MAX,
                      p9_fs_done, r);
}

void p9_xattr_read(struct p9_req *r) {
    const struct p9_fid *f = r->fid;
    u64 off = r->m.Tread.offset;
    u32 left = off < f->xattr_len ? f->xattr_len - (u32)off : 0;
    u32 room = r->out_cap - P9_IO_HEADER;
    u32 n = left < room ? left : room;
    if (n) memcpy(r->out + P9_IO_HEADER, f->xattr + off, n);
    struct p9_msg m = {.Rread.data = {r->out + P9_IO_HEADER, n}};
    p9_req_ok(r, &m);
}

void p9_do_Txattrcreate(struct p9_req *r) {
    const struct p9_Txattrcreate *t = &r->m.Txattrcreate;
    if (!p9_req_fid(r, t->fid)) return;
    struct p9_fid *f = r->fid;
    int err = f->kind != FID_WALKED         ? LX_EBADF
              : !r->s->fs->ops->create      ? LX_EROFS
              : !r->s->fs->ops->setxattr    ? LX_EOPNOTSUPP
              : t->size > LX_XATTR_SIZE_MAX ? LX_E2BIG
                                            : check_xattr_name(t->name);
    u8 *value = err ? NULL : malloc(t->size ? t->size : 1);
    char *name = err ? NULL : strdup(t->name.p);
    if (!err && (!value || !name)) err = LX_ENOMEM;
    if (err) {
        free(value);
        free(name);
        p9_req_fail(r, err);
        return;
    }
    f->kind = FID_XATTR_WRITE;
    f->xattr = value;
    f->xattr_size = (u32)t->size;
    f->xattr_len = 0;
    f->xattr_flags = t->flags;
    f->xattr_name = name;
    p9_req_done(r);
}

void p9_xattr_write(struct p9_req *r) {
    struct p9_fid *f = r->fid;
    const struct p9_Twrite *t = &r->m.Twrite;
    if (t->offset != f->xattr_len || t->data.count > f->xattr_size - f->xattr_len) {
        p9_req_fail(r, t->offset != f->xattr_len ? LX_EINVAL : LX_ENOSPC);
        return;
    }
    if (t->data.count) memcpy(f->xattr + f->xattr_len, t->data.p, t->data.count);
    f->xattr_len += t->data.count;
    struct p9_msg m = {.Rwrite = {.count = t->data.count}};
    p9_req_ok(r, &m);
}

static void clunk_done(struct p9_req *r, const struct fs_result *res) {
    (void)res;
    p9_req_done(r);
}

void p9_xattr_clunk(struct p9_req *r) {
    struct fs *fs = r->s->fs;
    struct p9_fid *f = r->fid;
    if (f->xattr_len != f->xattr_size) { // never completely written
        p9_req_fail(r, LX_EINVAL);
        return;
    }
    p9_req_start(r, clunk_done);
    fs->ops->setxattr(fs, r->node, f->xattr_name, f->xattr, f->xattr_len, f->xattr_flags,
                      p9_fs_done, r);
}
