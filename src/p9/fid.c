// The fids of one session: a hash table of references to nodes of the back end.
//
// Depends on base and fs.h. Invariant: a fid's node, directory and handle are released exactly
// once, when its last reference goes, wherever that happens.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "p9/session.h"

static struct p9_fid **bucket(struct p9_server *s, u32 id) {
    return &s->fids[(id * 2654435761u >> 16) % P9_FID_BUCKETS];
}

struct p9_fid *p9_fid_find(struct p9_server *s, u32 id) {
    for (struct p9_fid *f = *bucket(s, id); f; f = f->next)
        if (f->id == id) return f;
    return NULL;
}

struct p9_fid *p9_fid_new(struct p9_server *s, u32 id, int *err) {
    *err = id == P9_NOFID || p9_fid_find(s, id) ? LX_EBADF
           : s->nfids >= P9_MAX_FIDS            ? LX_ENFILE
                                                : 0;
    struct p9_fid *f = *err ? NULL : calloc(1, sizeof *f);
    if (!f) {
        if (!*err) *err = LX_ENOMEM;
        return NULL;
    }
    f->id = id;
    f->refs = 2;
    f->s = s;
    f->listed = true;
    f->next = *bucket(s, id);
    *bucket(s, id) = f;
    s->nfids++;
    return f;
}

struct p9_fid *p9_fid_ref(struct p9_fid *f) {
    f->refs++;
    return f;
}

void p9_fid_put(struct p9_fid *f) {
    if (!f || --f->refs) return;
    assert(!f->listed && "a listed fid has the reference of the table");
    struct fs *fs = f->s->fs;
    if (f->kind == FID_OPEN) {
        p9_locks_drop(f->s->locks, f->qid.path, f);
        if (fs->ops->close) fs->ops->close(fs, f->node, f->handle);
    }
    if (f->node) fs->ops->node_release(fs, f->node);
    if (f->dir) fs->ops->node_release(fs, f->dir);
    free(f->name);
    free(f->xattr);
    free(f->xattr_name);
    free(f);
}

void p9_fid_unlist(struct p9_fid *f) {
    if (!f->listed) return;
    struct p9_fid **at = bucket(f->s, f->id);
    while (*at != f) at = &(*at)->next;
    *at = f->next;
    f->listed = false;
    f->s->nfids--;
    p9_fid_put(f);
}

void p9_fids_clear(struct p9_server *s) {
    for (unsigned b = 0; b < P9_FID_BUCKETS; b++)
        while (s->fids[b]) p9_fid_unlist(s->fids[b]);
}

void p9_fid_place(struct p9_fid *f, struct fs_node *node, struct p9_qid qid, u32 mode,
                  struct fs_node *dir, u64 dir_ino, const char *name) {
    struct fs *fs = f->s->fs;
    if (f->node) fs->ops->node_release(fs, f->node);
    if (f->dir) fs->ops->node_release(fs, f->dir);
    free(f->name);
    f->node = node;
    f->qid = qid;
    f->mode = mode & LX_S_IFMT;
    f->dir = dir;
    f->dir_ino = dir_ino;
    f->name = name ? strdup(name) : NULL;
}

void p9_fids_renamed(struct p9_server *s, u64 from, const char *name, struct fs_node *to_dir,
                     u64 to, const char *newname) {
    struct fs *fs = s->fs;
    for (unsigned b = 0; b < P9_FID_BUCKETS; b++)
        for (struct p9_fid *f = s->fids[b]; f; f = f->next) {
            if (!f->dir || f->dir_ino != from || !f->name || strcmp(f->name, name) != 0) continue;
            char *copy = strdup(newname);
            free(f->name);
            f->name = copy;
            fs->ops->node_ref(fs, to_dir);
            fs->ops->node_release(fs, f->dir);
            f->dir = to_dir;
            f->dir_ino = to;
        }
}
