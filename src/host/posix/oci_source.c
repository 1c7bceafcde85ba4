// Image layouts on the local file system, as a directory or inside a tar archive. Runs the sans-I/O
// pull of oci/ over them. Depends on oci/, POSIX files and, for the cache, image_cache.h.
//
// An archive is indexed by one pass over its headers; a compressed one is first unpacked to a
// temporary file, so that blobs can be read in the order the pull asks for them.
#include "host/posix/oci_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/posix/blob_store.h"
#include "host/posix/image_cache.h"
#include "oci/decomp.h"
#include "oci/manifest.h"
#include "oci/tar.h"

enum { CHUNK = 256 << 10, MEMBERS_MAX = 100000 };

struct member {
    char *name;
    u64 off, size;
};

struct oci_source {
    char *path, *tag;
    int fd;       // the archive; -1: a directory
    bool pre_v25; // manifest.json but no index.json
    struct member *members;
    size_t nmembers;
    u8 *chunk;
};

// ---- names

static bool exists(const char *path, size_t n) {
    char *s = strndup(path, n);
    bool yes = s && access(s, F_OK) == 0;
    free(s);
    return yes;
}

// "PATH[:tag]": PATH may hold colons itself, so the shortest prefix that exists is taken; the whole
// first.
static int split_tag(struct oci_source *s, const char *ref, struct err *err) {
    size_t n = strlen(ref);
    const char *colon = NULL;
    if (!exists(ref, n))
        for (colon = strchr(ref, ':'); colon; colon = strchr(colon + 1, ':'))
            if (exists(ref, (size_t)(colon - ref))) break;
    if (colon) {
        n = (size_t)(colon - ref);
        if (!colon[1])
            return err_set(err, ERR_INVALID, "%s: the tag after the colon is empty", ref);
    }
    s->path = strndup(ref, n);
    s->tag = colon ? strdup(colon + 1) : NULL;
    return s->path && (!colon || s->tag) ? 0 : err_set(err, ERR_NOMEM, "out of memory");
}

static int file_error(struct err *err, const char *path) {
    return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s: %s", path, strerror(errno));
}

// ---- archives

struct indexer {
    struct oci_source *s;
    struct tar *tar;
    bool file; // the entry just seen is a file whose place is to be noted
    u64 size;
};

static int index_entry(void *arg, const struct tar_entry *e, struct err *err) {
    struct indexer *x = arg;
    struct oci_source *s = x->s;
    const char *name = e->path;
    while (name[0] == '.' && name[1] == '/') name += 2;
    x->file = e->type == TAR_FILE;
    if (!x->file) return 0;
    if (s->nmembers >= MEMBERS_MAX)
        return err_set(err, ERR_LIMIT, "more than %d files: not an image archive", MEMBERS_MAX);
    if ((s->nmembers & (s->nmembers - 1)) == 0) {
        size_t cap = s->nmembers ? s->nmembers * 2 : 1;
        struct member *m = realloc(s->members, cap * sizeof *m);
        if (!m) return err_set(err, ERR_NOMEM, "out of memory");
        s->members = m;
    }
    char *copy = strdup(name);
    if (!copy) return err_set(err, ERR_NOMEM, "out of memory");
    // The contents follow the header just consumed.
    s->members[s->nmembers++] = (struct member){copy, tar_offset(x->tar), e->size};
    return 0;
}

static const struct member *find_member(const struct oci_source *s, const char *name) {
    for (size_t i = s->nmembers; i-- > 0;) // the last one of a name counts
        if (!strcmp(s->members[i].name, name)) return &s->members[i];
    return NULL;
}

static int index_archive(struct oci_source *s, struct err *err) {
    struct indexer x = {.s = s};
    x.tar = tar_create(&(struct tar_sink){&x, index_entry, NULL});
    if (!x.tar) return err_set(err, ERR_NOMEM, "out of memory");
    int r = 0;
    while (r == 0) {
        tar_skip(x.tar, tar_skippable(x.tar));
        // Small reads: between headers there is mostly data to pass over.
        ssize_t n = pread(s->fd, s->chunk, 512, (off_t)tar_offset(x.tar));
        if (n < 0) r = file_error(err, s->path);
        if (n <= 0) break;
        r = tar_feed(x.tar, s->chunk, (size_t)n, err);
        if (tar_done(x.tar)) break;
    }
    if (r == 0) r = tar_end(x.tar, err);
    struct stat st;
    if (r == 0 && fstat(s->fd, &st) == 0 && (u64)st.st_size < tar_offset(x.tar))
        r = err_set(err, ERR_CORRUPT, "the archive is cut off");
    tar_destroy(x.tar);
    return r;
}

static int to_file(void *arg, const u8 *p, size_t n, struct err *err) {
    int fd = *(int *)arg;
    while (n) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR) continue;
        if (k <= 0) return err_set(err, ERR_IO, "unpacking the archive: %s", strerror(errno));
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

// Replaces s->fd by a temporary file with the archive's bytes uncompressed.
static int unpack_archive(struct oci_source *s, struct err *err) {
    char path[4096];
    const char *dir = getenv("TMPDIR");
    int fd = -1;
    if ((size_t)snprintf(path, sizeof path, "%s/berth-XXXXXX", dir && *dir ? dir : "/tmp") <
        sizeof path)
        fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) return err_set(err, ERR_IO, "no temporary file: %s", strerror(errno));
    unlink(path);
    struct decomp *d = decomp_create(to_file, &fd);
    int r = d ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    while (r == 0) {
        ssize_t n = read(s->fd, s->chunk, CHUNK);
        if (n < 0) r = file_error(err, s->path);
        if (n <= 0) break;
        r = decomp_feed(d, s->chunk, (size_t)n, err);
    }
    if (r == 0) r = decomp_end(d, err);
    decomp_destroy(d);
    close(s->fd);
    s->fd = fd;
    return r;
}

static int open_archive(struct oci_source *s, struct err *err) {
    s->fd = open(s->path, O_RDONLY | O_CLOEXEC);
    if (s->fd < 0) return file_error(err, s->path);
    u8 magic[4] = {0};
    ssize_t n = pread(s->fd, magic, sizeof magic, 0);
    if (n < 0) return file_error(err, s->path);
    bool packed = (magic[0] == 0x1f && magic[1] == 0x8b) || !memcmp(magic, "\x28\xb5\x2f\xfd", 4);
    int r = packed ? unpack_archive(s, err) : 0;
    if (r == 0) r = index_archive(s, err);
    oci_err_clean(r < 0 ? err : NULL);
    if (r < 0) return err_prefix(err, "%s", s->path);
    if (!find_member(s, "index.json") && find_member(s, "manifest.json"))
        return err_set(
            err, ERR_UNSUPPORTED,
            "%s was written by docker save before version 25; convert it with: skopeo copy "
            "docker-archive:%s oci-archive:NEW.tar",
            s->path, s->path);
    if (!find_member(s, "index.json"))
        return err_set(err, ERR_CORRUPT,
                       "%s holds no index.json: it is not an OCI image archive (skopeo copy ... "
                       "oci-archive:FILE writes one)",
                       s->path);
    return 0;
}

static int open_dir(struct oci_source *s, struct err *err) {
    struct stat st;
    if (stat(s->path, &st) < 0) return file_error(err, s->path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_INVALID,
                       "%s is not a directory; for an archive write oci-archive:%s", s->path,
                       s->path);
    return 0;
}

struct oci_source *oci_source_open(const char *ref, struct err *err) {
    static const char DIR_PREFIX[] = "oci:", FILE_PREFIX[] = "oci-archive:";
    bool dir = !strncmp(ref, DIR_PREFIX, sizeof DIR_PREFIX - 1);
    bool file = !strncmp(ref, FILE_PREFIX, sizeof FILE_PREFIX - 1);
    if (!dir && !file) {
        err_set(err, ERR_INVALID,
                "image \"%.200s\": write oci:DIR[:tag] for an image layout or "
                "oci-archive:FILE[:tag] for "
                "its tar archive",
                ref);
        return NULL;
    }
    struct oci_source *s = calloc(1, sizeof *s);
    if (s) s->fd = -1;
    if (s) s->chunk = malloc(CHUNK);
    int r = s && s->chunk ? 0 : err_set(err, ERR_NOMEM, "out of memory");
    if (r == 0) r = split_tag(s, strchr(ref, ':') + 1, err);
    if (r == 0) r = dir ? open_dir(s, err) : open_archive(s, err);
    if (r == 0) return s;
    oci_source_close(s);
    return NULL;
}

void oci_source_close(struct oci_source *s) {
    if (!s) return;
    if (s->fd >= 0) close(s->fd);
    for (size_t i = 0; i < s->nmembers; i++) free(s->members[i].name);
    free(s->members);
    free(s->path);
    free(s->tag);
    free(s->chunk);
    free(s);
}

const char *oci_source_tag(const struct oci_source *s) { return s->tag; }
const char *oci_source_name(const struct oci_source *s) { return s->path; }

// ---- running the pull

struct span {
    int fd;
    bool close;
    u64 off, left;
};

static int open_member(struct oci_source *s, const char *name, struct span *sp, struct err *err) {
    if (s->fd >= 0) {
        const struct member *m = find_member(s, name);
        if (!m && !strcmp(name, "oci-layout")) return -1; // see run_one
        if (!m)
            return err_set(err, ERR_NOTFOUND, "%s holds no %s: the image is incomplete", s->path,
                           name);
        *sp = (struct span){s->fd, false, m->off, m->size};
        return 0;
    }
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", s->path, name) >= sizeof path)
        return err_set(err, ERR_INVALID, "%s: path too long", s->path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && errno == ENOENT) {
        if (!strncmp(name, "blobs/", 6))
            return err_set(err, ERR_NOTFOUND, "%s is missing: the image is incomplete", path);
        return err_set(err, ERR_NOTFOUND, "%s has no %s: it is not an OCI image layout", s->path,
                       name);
    }
    if (fd < 0) return file_error(err, path);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return err_set(err, ERR_INVALID, "%s is not a regular file", path);
    }
    *sp = (struct span){fd, true, 0, ~(u64)0};
    return 0;
}

static int feed_span(struct oci_source *s, struct oci_pull *p, struct span *sp,
                     struct oci_progress *prog, oci_progress_fn progress, void *arg,
                     struct err *err) {
    while (sp->left) {
        size_t want = sp->left < CHUNK ? (size_t)sp->left : CHUNK;
        ssize_t n = pread(sp->fd, s->chunk, want, (off_t)sp->off);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return file_error(err, s->path);
        if (n == 0) break;
        sp->off += (u64)n;
        sp->left -= (u64)n;
        int r = oci_pull_feed(p, s->chunk, (size_t)n, err);
        if (r < 0) return err_prefix(err, "%s", s->path);
        if (prog->layer) prog->done += (u64)n;
        if (progress) progress(arg, prog);
    }
    int r = oci_pull_end(p, err);
    return r < 0 ? err_prefix(err, "%s", s->path) : 0;
}

static int run_one(struct oci_source *s, struct oci_pull *p, const struct oci_request *req,
                   struct oci_progress *prog, oci_progress_fn progress, void *arg,
                   struct err *err) {
    static const char LAYOUT[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
    struct span sp;
    int r = open_member(s, req->path, &sp, err);
    if (r == -1 && s->fd >= 0 && !strcmp(req->path, "oci-layout")) {
        // Some tools leave it out of archives; index.json says enough.
        r = oci_pull_feed(p, (const u8 *)LAYOUT, sizeof LAYOUT - 1, err);
        return r < 0 ? r : oci_pull_end(p, err);
    }
    if (r < 0) return r;
    r = feed_span(s, p, &sp, prog, progress, arg, err);
    if (sp.close) close(sp.fd);
    return r;
}

int oci_source_run(struct oci_source *s, struct oci_pull *p, bool stop_at_layers,
                   oci_progress_fn progress, void *arg, struct err *err) {
    struct oci_progress prog = {0};
    struct oci_request req;
    int r;
    while ((r = oci_pull_next(p, &req, err)) > 0) {
        if (req.is_layer && stop_at_layers) return 0;
        prog.layer = req.layer;
        prog.layers = req.layers;
        if (req.is_layer && !prog.total) {
            unsigned n;
            const struct oci_layer_info *l = oci_pull_layers(p, &n);
            for (unsigned i = 0; i < n; i++) prog.total += l[i].size;
        }
        r = run_one(s, p, &req, &prog, progress, arg, err);
        if (r < 0) return r;
    }
    return r;
}

// Unpacks the layers into `store`.
static int unpack(struct oci_source *s, const char *arch, const struct blob_store *store,
                  const struct log *log, oci_progress_fn progress, void *arg,
                  struct oci_config **config, struct imgtree **tree, struct err *err) {
    struct oci_pull_settings set = {
        .arch = arch, .tag = oci_source_tag(s), .store = *store, .log = log};
    struct oci_pull *p = oci_pull_create(&set, err);
    if (!p) return -1;
    int r = oci_source_run(s, p, false, progress, arg, err);
    if (r == 0) {
        *config = oci_pull_take_config(p);
        *tree = oci_pull_take_tree(p);
    }
    oci_pull_destroy(p);
    return r;
}

// The configuration and the manifest's digest (to be freed), without unpacking.
static char *peek(struct oci_source *s, const char *arch, const struct log *log,
                  struct oci_config **config, struct err *err) {
    struct oci_pull_settings set = {.arch = arch, .tag = oci_source_tag(s), .log = log};
    struct oci_pull *p = oci_pull_create(&set, err);
    if (!p) return NULL;
    char *digest = NULL;
    if (oci_source_run(s, p, true, NULL, NULL, err) == 0) {
        digest = strdup(oci_pull_manifest_digest(p));
        if (digest) *config = oci_pull_take_config(p);
        if (!digest) err_set(err, ERR_NOMEM, "out of memory");
    }
    oci_pull_destroy(p);
    return digest;
}

int posix_load_image(const char *ref, const char *arch, struct blob_store *store,
                     const struct log *log, oci_progress_fn progress, void *progress_arg,
                     struct oci_config **config, struct imgtree **tree, struct err *err) {
    *config = NULL;
    *tree = NULL;
    *store = (struct blob_store){0};
    struct oci_source *s = oci_source_open(ref, err);
    if (!s) return err ? -err->code : -(int)ERR_INVALID;
    int r = -1;
    char *digest = peek(s, arch, log, config, err);
    if (!digest) goto out;
    if (image_cache_get(digest, store, tree, log)) {
        if (progress) progress(progress_arg, &(struct oci_progress){.cached = true});
        r = 0;
        goto out;
    }
    oci_config_free(*config);
    *config = NULL;
    struct image_cache_entry *entry = image_cache_begin(digest, store, log);
    r = entry ? 0 : posix_store_temp(store, err);
    if (r == 0) r = unpack(s, arch, store, log, progress, progress_arg, config, tree, err);
    if (r < 0) posix_store_close(store);
    if (entry) image_cache_end(entry, r == 0 ? *tree : NULL, store, log);
out:
    if (r < 0) {
        oci_config_free(*config);
        *config = NULL;
    }
    free(digest);
    oci_source_close(s);
    return r;
}
