// One layer onto the tree. Depends on tar and imgtree.
//
// Paths: an entry's name is cleaned as text first; one that climbs above the root is an error (a
// hostile or broken archive), a leading slash counts from the root. Symlinks among its parents are
// followed inside the root, as containerd and umoci do, and `..` in their targets stops at the
// root. Missing parents are made (0755, root). The last component is never followed: it is
// replaced.
//
// Whiteouts hide what lower layers brought and never what this layer brought, in whatever order its
// entries come: each name carries the number of the layer that brought it.
#include "oci/layer.h"

#include <stdlib.h>
#include <string.h>

#include "oci/imgtree_impl.h"
#include "oci/tar.h"

enum { PATH_SIZE = 4096, WALK_SIZE = 16384, LINKS_MAX = 255 };

struct layer {
    struct imgtree *t;
    u32 number;
    struct layer_limits *limits;
    struct tar *tar;
    u32 file;                                // inode whose contents come now
    char path[PATH_SIZE], target[PATH_SIZE]; // cleaned
};

static int name_error(struct err *err, const char *name, enum err_code code, const char *why) {
    return err_set(err, code, "entry \"%.200s\" %s", name, why);
}

// Cleans `name` into `out`: components joined by single slashes, none of them "." or "..". The root
// is "".
static int clean_path(const char *name, char *out, struct err *err) {
    size_t n = 0;
    for (const char *p = name; *p;) {
        size_t len = strcspn(p, "/");
        if (len == 2 && p[0] == '.' && p[1] == '.') {
            if (n == 0)
                return name_error(err, name, ERR_CORRUPT,
                                  "leads out of the image's root: the layer is hostile or damaged");
            while (n > 0 && out[--n] != '/') {
            }
        } else if (len > 0 && !(len == 1 && p[0] == '.')) {
            if (len > IMGTREE_NAME_MAX)
                return name_error(err, name, ERR_LIMIT, "has a component over 255 bytes");
            if (n + len + 2 > PATH_SIZE)
                return name_error(err, name, ERR_LIMIT, "is longer than 4095 bytes");
            if (n) out[n++] = '/';
            memcpy(out + n, p, len);
            n += len;
        }
        p += len;
        while (*p == '/') p++;
    }
    out[n] = 0;
    return 0;
}

static int count_file(struct layer *l, struct err *err) {
    if (l->limits->files >= l->limits->max_files)
        return err_set(err, ERR_LIMIT, "the image has more than %llu files",
                       (unsigned long long)l->limits->max_files);
    l->limits->files++;
    return 0;
}

// A parent that the layer does not name itself.
static u32 make_implicit(struct layer *l, u32 dir, const char *name, size_t len, struct err *err) {
    struct imgtree_meta m = {.mode = 0755};
    if (count_file(l, err) < 0) return 0;
    u32 ino = imgtree_new(l->t, T_DIR, &m, err);
    if (!ino || imgtree_link(l->t, dir, name, len, ino, l->number, err) < 0) return 0;
    return ino;
}

// Walks the first `n` bytes of a cleaned path to a directory, following symlinks inside the root. A
// missing one is made if `make`; else *dir is 0 and the result 0.
static int walk(struct layer *l, const char *path, size_t n, bool make, u32 *dir, struct err *err) {
    char rest[WALK_SIZE];
    memcpy(rest, path, n);
    rest[n] = 0;
    u32 at = IMGTREE_ROOT;
    unsigned links = 0;
    *dir = 0;
    for (size_t pos = 0; rest[pos];) {
        size_t len = strcspn(rest + pos, "/");
        const char *name = rest + pos;
        pos += len + (rest[pos + len] == '/');
        if (len == 0 || (len == 1 && name[0] == '.')) continue;
        if (len == 2 && name[0] == '.' && name[1] == '.') {
            at = imgtree_parent(l->t, at);
            continue;
        }
        if (len > IMGTREE_NAME_MAX)
            return name_error(err, path, ERR_LIMIT, "passes a symlink with an over-long name");
        u32 ino = imgtree_lookup(l->t, at, name, len);
        if (!ino && !make) return 0;
        if (!ino && !(ino = make_implicit(l, at, name, len, err))) return -1;
        const struct inode *i = imgtree_inode(l->t, ino);
        size_t tlen, tail = strlen(rest + pos);
        const char *target = imgtree_readlink(l->t, ino, &tlen);
        if (target) {
            if (++links > LINKS_MAX || tlen + 1 + tail + 1 > sizeof rest)
                return name_error(err, path, ERR_CORRUPT, "passes too many symbolic links");
            memmove(rest + tlen + 1, rest + pos, tail + 1);
            memcpy(rest, target, tlen);
            rest[tlen] = '/';
            pos = 0;
            if (target[0] == '/') at = IMGTREE_ROOT;
        } else if (!inode_is(i, T_DIR)) {
            return name_error(err, path, ERR_CORRUPT, "is below a file that is not a directory");
        } else {
            at = ino;
        }
    }
    *dir = at;
    return 0;
}

// Splits a cleaned, non-empty path; returns the base name and the parent's length.
static const char *split(const char *path, size_t *parent) {
    const char *slash = strrchr(path, '/');
    *parent = slash ? (size_t)(slash - path) : 0;
    return slash ? slash + 1 : path;
}

// `name` ends ".wh.NAME" or is the opaque mark; `dir` its directory.
static void whiteout(struct layer *l, u32 dir, const char *base) {
    if (!strcmp(base, ".wh..wh..opq")) {
        imgtree_prune(l->t, dir, l->number);
        return;
    }
    if (!strncmp(base, ".wh..wh.", 8)) return; // bookkeeping of AUFS
    const char *name = base + 4;
    size_t n = strlen(name);
    u32 ino = imgtree_lookup(l->t, dir, name, n);
    if (!ino) return;
    if (inode_is(imgtree_inode(l->t, ino), T_DIR)) imgtree_prune(l->t, ino, l->number);
    bool kept = imgtree_layer_of(l->t, dir, name, n) == l->number ||
                (inode_is(imgtree_inode(l->t, ino), T_DIR) && imgtree_inode(l->t, ino)->first);
    if (!kept) imgtree_remove(l->t, dir, name, n);
}

static int set_xattrs(struct layer *l, u32 ino, const struct tar_entry *e, struct err *err) {
    struct imgtree_xattr x[256];
    unsigned n = 0;
    for (unsigned i = 0; i < e->nxattrs && n < ARRAY_LEN(x); i++) {
        const char *name = e->xattrs[i].name;
        // These would steer the overlay file system that the guest puts over the tree: left out.
        if (!strncmp(name, "trusted.overlay.", 16) || !strncmp(name, "user.overlay.", 13)) continue;
        unsigned k = 0; // the last value of a name counts
        while (k < n && strcmp(x[k].name, name) != 0) k++;
        x[k] = (struct imgtree_xattr){name, e->xattrs[i].value, (u32)e->xattrs[i].len};
        if (k == n) n++;
    }
    return imgtree_set_xattrs(l->t, ino, x, n, err);
}

static struct imgtree_meta meta_of(const struct tar_entry *e) {
    return (struct imgtree_meta){e->mode, e->uid, e->gid, e->mtime_s, e->mtime_ns};
}

static int apply_meta(struct layer *l, u32 ino, const struct tar_entry *e, struct err *err) {
    struct imgtree_meta m = meta_of(e);
    if (inode_is(imgtree_inode(l->t, ino), T_LNK)) m.mode = 0777;
    imgtree_set_meta(l->t, ino, &m);
    return set_xattrs(l, ino, e, err);
}

static int hard_link(struct layer *l, u32 dir, const char *base, const struct tar_entry *e,
                     struct err *err) {
    if (clean_path(e->link, l->target, err) < 0) return -1;
    size_t plen;
    const char *tbase = split(l->target, &plen);
    u32 tdir;
    if (walk(l, l->target, plen, false, &tdir, err) < 0) return -1;
    u32 ino = tdir ? imgtree_lookup(l->t, tdir, tbase, strlen(tbase)) : 0;
    if (!ino)
        return err_set(err, ERR_CORRUPT,
                       "entry \"%.150s\" is a hard link to \"%.150s\", which is not there", e->path,
                       e->link);
    if (inode_is(imgtree_inode(l->t, ino), T_DIR))
        return name_error(err, e->path, ERR_CORRUPT, "is a hard link to a directory");
    size_t blen = strlen(base);
    if (imgtree_lookup(l->t, dir, base, blen) == ino) {
        imgtree_touch(l->t, dir, base, blen, l->number);
    } else {
        if (count_file(l, err) < 0) return -1;
        // What is replaced may be a directory that holds the only name of the target.
        imgtree_inode(l->t, ino)->nlink++;
        imgtree_remove(l->t, dir, base, blen);
        int r = imgtree_link(l->t, dir, base, blen, ino, l->number, err);
        imgtree_inode(l->t, ino)->nlink--;
        if (r < 0) return r;
    }
    // The entry's own metadata is that of the file's first name, or nothing worth having: GNU tar
    // and umoci pass it over too.
    return 0;
}

static int new_file(struct layer *l, u32 dir, const char *base, const struct tar_entry *e,
                    struct err *err) {
    static const u32 TYPE[] = {
        [TAR_FILE] = T_REG,  [TAR_HARDLINK] = 0, [TAR_SYMLINK] = T_LNK, [TAR_CHAR] = T_CHR,
        [TAR_BLOCK] = T_BLK, [TAR_DIR] = T_DIR,  [TAR_FIFO] = T_FIFO};
    size_t blen = strlen(base), tlen = strlen(e->link);
    struct imgtree_meta m = meta_of(e);
    u32 old = imgtree_lookup(l->t, dir, base, blen);
    if (e->type == TAR_DIR && old && inode_is(imgtree_inode(l->t, old), T_DIR)) {
        imgtree_touch(l->t, dir, base, blen, l->number);
        return apply_meta(l, old, e, err); // its children stay
    }
    if (e->type == TAR_SYMLINK && (tlen == 0 || tlen > IMGTREE_LINK_MAX))
        return name_error(err, e->path, ERR_LIMIT,
                          "is a symlink with an empty or over-long target");
    if (count_file(l, err) < 0) return -1;
    imgtree_remove(l->t, dir, base, blen);
    u32 ino = imgtree_new(l->t, TYPE[e->type], &m, err);
    if (!ino || imgtree_link(l->t, dir, base, blen, ino, l->number, err) < 0) return -1;
    if (e->type == TAR_SYMLINK && imgtree_set_link(l->t, ino, e->link, tlen, err) < 0) return -1;
    if (e->type == TAR_CHAR || e->type == TAR_BLOCK)
        imgtree_set_rdev(l->t, ino, e->devmajor, e->devminor);
    if (e->type == TAR_FILE) {
        imgtree_set_size(l->t, ino, e->size);
        l->file = ino;
    }
    return apply_meta(l, ino, e, err);
}

static int on_entry(void *arg, const struct tar_entry *e, struct err *err) {
    struct layer *l = arg;
    l->file = 0; // contents of a skipped or special entry go nowhere
    if (clean_path(e->path, l->path, err) < 0) return -1;
    if (!l->path[0]) {
        if (e->type != TAR_DIR)
            return name_error(err, e->path, ERR_CORRUPT, "would replace the root directory");
        return apply_meta(l, IMGTREE_ROOT, e, err);
    }
    size_t plen;
    const char *base = split(l->path, &plen);
    bool is_whiteout = !strncmp(base, ".wh.", 4);
    if (!strncmp(l->path, ".wh..wh.", 8) && strcmp(l->path, ".wh..wh..opq") != 0) return 0; // AUFS
    if (is_whiteout && (!base[4] || !strcmp(base + 4, ".") || !strcmp(base + 4, "..")))
        return name_error(err, e->path, ERR_CORRUPT, "is a whiteout of nothing");
    u32 dir;
    if (walk(l, l->path, plen, !is_whiteout, &dir, err) < 0) return -1;
    if (is_whiteout) {
        if (dir) whiteout(l, dir, base);
        return 0;
    }
    return e->type == TAR_HARDLINK ? hard_link(l, dir, base, e, err)
                                   : new_file(l, dir, base, e, err);
}

static int on_data(void *arg, u64 off, const u8 *p, size_t n, struct err *err) {
    struct layer *l = arg;
    return l->file ? imgtree_append(l->t, l->file, off, p, n, err) : 0;
}

struct layer *layer_create(struct imgtree *t, u32 number, struct layer_limits *limits) {
    struct layer *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->t = t;
    l->number = number;
    l->limits = limits;
    l->tar = tar_create(&(struct tar_sink){l, on_entry, on_data});
    if (l->tar) return l;
    free(l);
    return NULL;
}

void layer_destroy(struct layer *l) {
    if (!l) return;
    tar_destroy(l->tar);
    free(l);
}

int layer_feed(struct layer *l, const u8 *p, size_t n, struct err *err) {
    if (n > l->limits->max_unpacked - l->limits->unpacked)
        return err_set(
            err, ERR_LIMIT,
            "the image unpacks to more than %llu MiB: raise the limit if it is to be trusted",
            (unsigned long long)(l->limits->max_unpacked >> 20));
    l->limits->unpacked += n;
    return tar_feed(l->tar, p, n, err);
}

int layer_end(struct layer *l, struct err *err) { return tar_end(l->tar, err); }
