// The pull: which document or layer comes next, and the checks on each. No I/O: the host fetches
// what oci_pull_next names. Depends on the rest of this folder.
//
//   oci-layout -> index.json -> (nested index)* -> manifest -> config -> layers in order
//
// Every blob's size and digest are those its descriptor announced; every layer's unpacked bytes
// have the diff_id of the configuration. A failed pull stays failed.
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "oci/decomp.h"
#include "oci/digest.h"
#include "oci/imgtree.h"
#include "oci/json.h"
#include "oci/layer.h"
#include "oci/manifest.h"
#include "oci/oci.h"

enum { NESTING_MAX = 4, LAYERS_MAX = 1000, PATH_MAX_LEN = 96 };

enum step {
    STEP_LAYOUT,
    STEP_INDEX,
    STEP_MANIFEST,
    STEP_CONFIG,
    STEP_LAYER,
    STEP_DONE,
    STEP_FAILED
};

struct oci_pull {
    struct oci_pull_settings s;
    char *arch, *tag;
    enum step step;
    bool asked;
    unsigned nesting;
    bool tagged; // tags matter at this level: index.json, not the indexes it names

    // The blob being fetched.
    char path[PATH_MAX_LEN], what[128];
    char digest[DIGEST_TEXT]; // "" when not known
    char *media_type;
    u64 size, got; // size: 0 not known, where digest is ""
    struct buf doc;
    struct digest sha;
    bool sha_open;

    struct oci_doc manifest;
    char manifest_digest[DIGEST_TEXT];
    struct oci_config *config;
    char **diff_ids;
    unsigned ndiff;
    struct oci_layer_info *layers;

    unsigned layer; // index of the one being fetched
    struct imgtree *tree;
    struct layer_limits limits;
    struct layer *apply;
    struct decomp *decomp;
    struct digest diff;
    bool diff_open, html;
};

static int oom(struct err *err) {
    return err_set(err, ERR_NOMEM, "out of memory loading the image");
}

static void want(struct oci_pull *p, enum step step, const char *path, const char *what) {
    p->step = step;
    p->asked = false;
    p->got = 0;
    p->size = 0;
    p->digest[0] = 0;
    p->doc.len = 0;
    snprintf(p->path, sizeof p->path, "%s", path);
    snprintf(p->what, sizeof p->what, "%s", what);
}

static int want_blob(struct oci_pull *p, enum step step, const struct oci_desc *d, const char *kind,
                     struct err *err) {
    char path[PATH_MAX_LEN], what[128];
    snprintf(path, sizeof path, "blobs/sha256/%s", d->digest + 7);
    snprintf(what, sizeof what, "%s %.23s", kind, d->digest);
    want(p, step, path, what);
    memcpy(p->digest, d->digest, DIGEST_TEXT);
    p->size = d->size;
    free(p->media_type);
    p->media_type = strdup(d->media_type);
    if (!p->media_type) return oom(err);
    if (step != STEP_LAYER && d->size > JSON_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "%s is announced with %llu bytes; at most %d are read",
                       p->what, (unsigned long long)d->size, JSON_SIZE_MAX);
    return 0;
}

struct oci_pull *oci_pull_create(const struct oci_pull_settings *s, struct err *err) {
    struct oci_pull *p = calloc(1, sizeof *p);
    if (!p) {
        oom(err);
        return NULL;
    }
    p->s = *s;
    p->tagged = true;
    p->limits.max_unpacked = s->max_unpacked ? s->max_unpacked : 64ull << 30;
    p->limits.max_files = s->max_files ? s->max_files : 4000000;
    p->arch = s->arch ? strdup(s->arch) : NULL;
    p->tag = s->tag ? strdup(s->tag) : NULL;
    p->media_type = strdup("");
    p->tree = imgtree_create(&s->store);
    if ((s->arch && !p->arch) || (s->tag && !p->tag) || !p->media_type || !p->tree) {
        oci_pull_destroy(p);
        oom(err);
        return NULL;
    }
    want(p, STEP_LAYOUT, "oci-layout", "oci-layout");
    return p;
}

static void close_blob(struct oci_pull *p) {
    if (p->sha_open) digest_abort(&p->sha);
    if (p->diff_open) digest_abort(&p->diff);
    p->sha_open = p->diff_open = false;
    decomp_destroy(p->decomp);
    p->decomp = NULL;
    layer_destroy(p->apply);
    p->apply = NULL;
}

void oci_pull_destroy(struct oci_pull *p) {
    if (!p) return;
    close_blob(p);
    for (unsigned i = 0; i < p->ndiff; i++) free(p->diff_ids[i]);
    free(p->diff_ids);
    free(p->layers);
    oci_doc_free(&p->manifest);
    oci_config_free(p->config);
    imgtree_destroy(p->tree);
    buf_free(&p->doc);
    free(p->media_type);
    free(p->arch);
    free(p->tag);
    free(p);
}

void oci_err_clean(struct err *err) {
    if (!err) return;
    for (char *c = err->msg; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
}

static int fail(struct oci_pull *p, int r, struct err *err) {
    oci_err_clean(err);
    close_blob(p);
    p->step = STEP_FAILED;
    return r < 0 ? r : -(int)ERR_INVALID;
}

// Decompressed bytes of a layer.
static int on_unpacked(void *arg, const u8 *data, size_t n, struct err *err) {
    struct oci_pull *p = arg;
    if (!p->s.skip_diff_ids) digest_add(&p->diff, data, n);
    return layer_feed(p->apply, data, n, err);
}

static int open_blob(struct oci_pull *p, struct err *err) {
    if (p->digest[0]) {
        digest_begin(&p->sha);
        p->sha_open = true;
    }
    if (p->step != STEP_LAYER) return 0;
    digest_begin(&p->diff);
    p->diff_open = true;
    p->html = false;
    p->decomp = decomp_create(on_unpacked, p);
    p->apply = layer_create(p->tree, p->layer + 1, &p->limits);
    return p->decomp && p->apply ? 0 : oom(err);
}

int oci_pull_next(struct oci_pull *p, struct oci_request *req, struct err *err) {
    *req = (struct oci_request){0};
    if (p->step == STEP_DONE) return 0;
    if (p->step == STEP_FAILED)
        return err_set(err, ERR_INVALID, "loading the image has failed already");
    if (!p->asked) {
        close_blob(p);
        int r = open_blob(p, err);
        if (r < 0) return fail(p, r, err);
        p->asked = true;
    }
    req->path = p->path;
    req->size = p->size;
    req->is_layer = p->step == STEP_LAYER;
    if (req->is_layer) {
        req->layer = p->layer + 1;
        req->layers = p->manifest.n;
    }
    return 1;
}

// Failing on a layer: say which, and recognise what servers send for a missing file.
static int layer_failed(struct oci_pull *p, int r, struct err *err) {
    if (p->html && decomp_kind(p->decomp) <= DECOMP_PLAIN)
        err_set(err, ERR_CORRUPT,
                "the server answered with a web page, not an image: check the URL");
    r = err_prefix(err, "%s", p->what);
    return fail(p, r, err);
}

int oci_pull_feed(struct oci_pull *p, const u8 *data, size_t n, struct err *err) {
    if (p->step >= STEP_DONE || !p->asked)
        return err_set(err, ERR_INVALID, "nothing was asked for: call oci_pull_next first");
    bool known = p->digest[0] != 0;
    if (known && n > p->size - p->got)
        return fail(p,
                    err_set(err, ERR_CORRUPT,
                            "%s is longer than the %llu bytes announced: it was damaged or "
                            "replaced; fetch the image again",
                            p->what, (unsigned long long)p->size),
                    err);
    if (p->step == STEP_LAYER && p->got == 0 && n) p->html = json_looks_like_html(data, n);
    p->got += n;
    if (known) digest_add(&p->sha, data, n);
    if (p->step == STEP_LAYER) {
        int r = decomp_feed(p->decomp, data, n, err);
        return r < 0 ? layer_failed(p, r, err) : 0;
    }
    if (p->got > JSON_SIZE_MAX)
        return fail(
            p, err_set(err, ERR_LIMIT, "%s is larger than %d bytes", p->what, JSON_SIZE_MAX), err);
    buf_put(&p->doc, data, n);
    return p->doc.oom ? fail(p, oom(err), err) : 0;
}

static int layout_done(struct oci_pull *p, struct err *err) {
    cJSON *j = json_parse(p->doc.data, p->doc.len, p->what, err);
    if (!j) return -1;
    const char *v;
    int r = json_string(j, "imageLayoutVersion", &v, p->what, err);
    if (r == 0 && !v)
        r = err_set(err, ERR_CORRUPT,
                    "oci-layout has no imageLayoutVersion: not an OCI image layout");
    if (r == 0 && strncmp(v, "1.", 2) != 0)
        r = err_set(err, ERR_UNSUPPORTED, "the image layout has version %.20s; 1.x is supported",
                    v);
    cJSON_Delete(j);
    if (r == 0) want(p, STEP_INDEX, "index.json", "index.json");
    return r;
}

// A layer's media type must be one that holds a tar; which compression it has, its bytes say.
static int check_layer_type(const struct oci_desc *d, struct err *err) {
    static const char *const PREFIX[] = {"application/vnd.oci.image.layer.v1.tar",
                                         "application/vnd.oci.image.layer.nondistributable.v1.tar",
                                         "application/vnd.docker.image.rootfs.diff.tar",
                                         "application/vnd.docker.image.rootfs.foreign.diff.tar"};
    const char *t = d->media_type;
    if (strstr(t, "+encrypted"))
        return err_set(err, ERR_UNSUPPORTED, "the image's layers are encrypted (%.80s)", t);
    for (size_t i = 0; i < ARRAY_LEN(PREFIX); i++)
        if (!strncmp(t, PREFIX[i], strlen(PREFIX[i]))) return 0;
    if (!t[0]) return 0;
    return err_set(err, ERR_UNSUPPORTED,
                   "a layer has media type %.80s: this is not a container image", t);
}

static int index_done(struct oci_pull *p, const struct oci_doc *d, struct err *err) {
    if (p->nesting++ >= NESTING_MAX)
        return err_set(err, ERR_LIMIT, "image indexes are nested deeper than %d levels",
                       NESTING_MAX);
    const struct oci_desc *e = oci_doc_choose(d, p->arch, p->tagged, p->tag, p->what, err);
    if (!e) return -1;
    p->tagged = false;
    return want_blob(p, STEP_MANIFEST, e,
                     oci_is_index_type(e->media_type) ? "image index" : "image manifest", err);
}

static int document_done(struct oci_pull *p, struct err *err) {
    struct oci_doc d;
    const char *type = p->step == STEP_INDEX ? "" : p->media_type;
    if (oci_doc_parse(&d, p->doc.data, p->doc.len, type, p->what, err) < 0) return -1;
    if (p->step == STEP_INDEX && !d.is_index) {
        oci_doc_free(&d);
        return err_set(err, ERR_CORRUPT, "index.json is not an image index");
    }
    if (d.is_index) {
        int r = index_done(p, &d, err);
        oci_doc_free(&d);
        return r;
    }
    p->manifest = d;
    memcpy(p->manifest_digest, p->digest, DIGEST_TEXT);
    if (d.n > LAYERS_MAX)
        return err_set(err, ERR_LIMIT, "the image has %u layers; at most %d", d.n, LAYERS_MAX);
    for (unsigned i = 0; i < d.n; i++)
        if (check_layer_type(&d.v[i], err) < 0) return -1;
    return want_blob(p, STEP_CONFIG, &d.config, "image configuration", err);
}

static int next_layer(struct oci_pull *p, struct err *err) {
    if (p->layer < p->manifest.n) {
        char kind[48];
        snprintf(kind, sizeof kind, "layer %u of %u", p->layer + 1, p->manifest.n);
        return want_blob(p, STEP_LAYER, &p->manifest.v[p->layer], kind, err);
    }
    int r = imgtree_compact(&p->tree, err);
    if (r == 0) p->step = STEP_DONE;
    return r;
}

static int wrong_arch(const char *wanted, const struct oci_config *c, struct err *err) {
    struct buf b = {0};
    oci_arch_text(wanted, &b);
    int r = err_set(err, ERR_UNSUPPORTED,
                    "the image is for linux/%.30s%s%.10s, but %s is needed: use an image built for "
                    "that",
                    c->architecture, c->variant[0] ? "/" : "", c->variant, buf_cstr(&b));
    buf_free(&b);
    return r;
}

static int config_done(struct oci_pull *p, struct err *err) {
    p->config = oci_config_parse(p->doc.data, p->doc.len, &p->diff_ids, &p->ndiff, err);
    if (!p->config) return -1;
    const struct oci_config *c = p->config;
    if (c->os[0] && strcmp(c->os, "linux") != 0)
        return err_set(err, ERR_UNSUPPORTED, "the image is for %.30s; only Linux images run here",
                       c->os);
    if (p->arch && oci_arch_rank(p->arch, c->architecture) < 0) return wrong_arch(p->arch, c, err);
    if (p->ndiff != p->manifest.n)
        return err_set(err, ERR_CORRUPT, "the image has %u layers, but its configuration names %u",
                       p->manifest.n, p->ndiff);
    p->layers = calloc(p->ndiff + 1u, sizeof *p->layers);
    if (!p->layers) return oom(err);
    for (unsigned i = 0; i < p->ndiff; i++) {
        const struct oci_desc *d = &p->manifest.v[i];
        if (digest_check_form(p->diff_ids[i], "a diff_id of the image configuration", err) < 0)
            return -1;
        p->layers[i] = (struct oci_layer_info){d->digest, p->diff_ids[i], d->media_type, d->size};
    }
    return next_layer(p, err);
}

// Warns when the bytes are compressed otherwise than the media type says; engines take those too.
static void check_compression(const struct oci_pull *p) {
    enum decomp_kind k = decomp_kind(p->decomp);
    const char *t = p->media_type;
    size_t n = strlen(t);
    if (n < 4) return;
    enum decomp_kind said = DECOMP_PLAIN;
    if (!strcmp(t + n - 4, "gzip")) said = DECOMP_GZIP;
    if (!strcmp(t + n - 4, "zstd")) said = DECOMP_ZSTD;
    if (k != said)
        log_write(p->s.log, LOG_WARN, "%s: its media type says %s, but it is %s", p->what,
                  decomp_name(said), decomp_name(k));
}

static int layer_done(struct oci_pull *p, struct err *err) {
    int r = decomp_end(p->decomp, err);
    if (r == 0) r = layer_end(p->apply, err);
    if (r < 0) {
        if (p->html)
            err_set(err, ERR_CORRUPT,
                    "the server answered with a web page, not an image: check the URL");
        return err_prefix(err, "%s", p->what);
    }
    char diff[DIGEST_TEXT];
    digest_end(&p->diff, diff);
    p->diff_open = false;
    if (!p->s.skip_diff_ids && strcmp(diff, p->diff_ids[p->layer]) != 0)
        return err_set(err, ERR_CORRUPT,
                       "%s unpacks to %s, but the image configuration says %s: the image was put "
                       "together wrongly",
                       p->what, diff, p->diff_ids[p->layer]);
    check_compression(p);
    p->layer++;
    return next_layer(p, err);
}

// The blob arrived whole and is what the descriptor promised.
static int check_blob(struct oci_pull *p, struct err *err) {
    if (!p->digest[0]) return 0;
    if (p->got != p->size)
        return err_set(err, ERR_CORRUPT, "%s is cut off: %llu of %llu bytes; fetch the image again",
                       p->what, (unsigned long long)p->got, (unsigned long long)p->size);
    char sum[DIGEST_TEXT];
    digest_end(&p->sha, sum);
    p->sha_open = false;
    if (strcmp(sum, p->digest) != 0)
        return err_set(err, ERR_CORRUPT,
                       "%s has the wrong digest: expected %s, its bytes have %s; it was damaged or "
                       "replaced, fetch the image again",
                       p->what, p->digest, sum);
    return 0;
}

int oci_pull_end(struct oci_pull *p, struct err *err) {
    if (p->step >= STEP_DONE || !p->asked)
        return err_set(err, ERR_INVALID, "nothing was asked for: call oci_pull_next first");
    p->asked = false;
    int r = check_blob(p, err);
    if (r == 0) {
        switch (p->step) {
        case STEP_LAYOUT:
            r = layout_done(p, err);
            break;
        case STEP_INDEX:
        case STEP_MANIFEST:
            r = document_done(p, err);
            break;
        case STEP_CONFIG:
            r = config_done(p, err);
            break;
        case STEP_LAYER:
            r = layer_done(p, err);
            break;
        default:
            assert(!"a step with a blob");
        }
    }
    return r < 0 ? fail(p, r, err) : 0;
}

const char *oci_pull_manifest_digest(const struct oci_pull *p) {
    return p->manifest_digest[0] ? p->manifest_digest : NULL;
}

const struct oci_layer_info *oci_pull_layers(const struct oci_pull *p, unsigned *n) {
    *n = p->layers ? p->ndiff : 0;
    return p->layers;
}

const struct oci_config *oci_pull_config(const struct oci_pull *p) { return p->config; }

struct oci_config *oci_pull_take_config(struct oci_pull *p) {
    struct oci_config *c = p->config;
    p->config = NULL;
    return c;
}

struct imgtree *oci_pull_take_tree(struct oci_pull *p) {
    struct imgtree *t = p->step == STEP_DONE ? p->tree : NULL;
    if (t) p->tree = NULL;
    return t;
}
