// Image indexes and manifests. Depends on base, json and digest.
// OCI image-spec v1.1: descriptor.md, image-index.md, manifest.md, annotations.md.
#include "oci/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oci/json.h"

enum { ENTRIES_MAX = 2000 };

const char *oci_arch_name(const char *arch) {
    static const char *const NAMES[][2] = {{"x86_64", "amd64"},
                                           {"x86-64", "amd64"},
                                           {"aarch64", "arm64"},
                                           {"i386", "386"},
                                           {"i686", "386"}};
    for (size_t i = 0; arch && i < ARRAY_LEN(NAMES); i++)
        if (!strcmp(arch, NAMES[i][0])) return NAMES[i][1];
    return arch;
}

bool oci_is_index_type(const char *t) {
    return !strcmp(t, "application/vnd.oci.image.index.v1+json") ||
           !strcmp(t, "application/vnd.docker.distribution.manifest.list.v2+json");
}

static bool is_manifest_type(const char *t) {
    return !strcmp(t, "application/vnd.oci.image.manifest.v1+json") ||
           !strcmp(t, "application/vnd.docker.distribution.manifest.v2+json");
}

static bool is_config_type(const char *t) {
    return !strcmp(t, "application/vnd.oci.image.config.v1+json") ||
           !strcmp(t, "application/vnd.docker.container.image.v1+json");
}

static void desc_free(struct oci_desc *d) {
    free(d->media_type);
    free(d->os);
    free(d->architecture);
    free(d->variant);
    free(d->ref_name);
    free(d->image_name);
}

void oci_doc_free(struct oci_doc *d) {
    for (unsigned i = 0; i < d->n; i++) desc_free(&d->v[i]);
    free(d->v);
    desc_free(&d->config);
    *d = (struct oci_doc){0};
}

static int take_string(const cJSON *obj, const char *key, char **out, const char *what,
                       struct err *err) {
    const char *s = NULL;
    if (obj && json_string(obj, key, &s, what, err) < 0) return -1;
    *out = strdup(s ? s : "");
    return *out ? 0 : err_set(err, ERR_NOMEM, "out of memory reading %s", what);
}

static int parse_desc(const cJSON *j, struct oci_desc *d, const char *what, struct err *err) {
    if (!cJSON_IsObject(j))
        return err_set(err, ERR_CORRUPT, "%s: a descriptor is not an object", what);
    const char *digest;
    const cJSON *platform, *notes;
    u64 size = ~(u64)0;
    if (json_string(j, "digest", &digest, what, err) < 0 ||
        json_size(j, "size", &size, what, err) < 0 ||
        json_object(j, "platform", &platform, what, err) < 0 ||
        json_object(j, "annotations", &notes, what, err) < 0 ||
        take_string(j, "mediaType", &d->media_type, what, err) < 0 ||
        take_string(platform, "os", &d->os, what, err) < 0 ||
        take_string(platform, "architecture", &d->architecture, what, err) < 0 ||
        take_string(platform, "variant", &d->variant, what, err) < 0 ||
        take_string(notes, "org.opencontainers.image.ref.name", &d->ref_name, what, err) < 0 ||
        take_string(notes, "io.containerd.image.name", &d->image_name, what, err) < 0)
        return -1;
    if (!digest || size == ~(u64)0)
        return err_set(err, ERR_CORRUPT, "%s: a descriptor lacks its %s", what,
                       digest ? "size" : "digest");
    if (digest_check_form(digest, what, err) < 0) return -1;
    memcpy(d->digest, digest, DIGEST_TEXT);
    d->size = size;
    const cJSON *type =
        notes ? cJSON_GetObjectItemCaseSensitive(notes, "vnd.docker.reference.type") : NULL;
    d->attestation = !strcmp(d->os, "unknown") || !strcmp(d->architecture, "unknown") ||
                     (cJSON_IsString(type) && !strcmp(type->valuestring, "attestation-manifest"));
    return 0;
}

static int parse_list(const cJSON *list, struct oci_doc *d, const char *what, struct err *err) {
    int n = cJSON_GetArraySize(list);
    if (n > ENTRIES_MAX)
        return err_set(err, ERR_LIMIT, "%s lists %d blobs; at most %d", what, n, ENTRIES_MAX);
    d->v = calloc((size_t)n + 1, sizeof *d->v);
    if (!d->v) return err_set(err, ERR_NOMEM, "out of memory reading %s", what);
    const cJSON *j;
    cJSON_ArrayForEach(j, list) {
        if (parse_desc(j, &d->v[d->n++], what, err) < 0) return -1;
    }
    return 0;
}

static int parse_manifest(const cJSON *j, const cJSON *layers, struct oci_doc *d, const char *what,
                          struct err *err) {
    const cJSON *config;
    const char *artifact;
    if (json_object(j, "config", &config, what, err) < 0 ||
        json_string(j, "artifactType", &artifact, what, err) < 0)
        return -1;
    if (!config || !layers)
        return err_set(err, ERR_CORRUPT, "%s has no \"%s\": not an image manifest", what,
                       config ? "layers" : "config");
    if (parse_desc(config, &d->config, what, err) < 0) return -1;
    if (d->config.media_type[0] && !is_config_type(d->config.media_type))
        return err_set(err, ERR_UNSUPPORTED, "%s describes %.80s, not a container image", what,
                       artifact ? artifact : d->config.media_type);
    return parse_list(layers, d, what, err);
}

static int parse_doc(const cJSON *j, struct oci_doc *d, const char *media_type, const char *what,
                     struct err *err) {
    const cJSON *manifests, *layers;
    const char *own;
    u64 schema = 2;
    if (json_array(j, "manifests", &manifests, what, err) < 0 ||
        json_array(j, "layers", &layers, what, err) < 0 ||
        json_string(j, "mediaType", &own, what, err) < 0 ||
        json_size(j, "schemaVersion", &schema, what, err) < 0)
        return -1;
    if (schema != 2)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s has schema version %llu; push the image again with a current tool (2 is "
                       "needed)",
                       what, (unsigned long long)schema);
    if (manifests && (layers || cJSON_HasObjectItem(j, "config")))
        return err_set(err, ERR_CORRUPT, "%s claims to be both an index and a manifest", what);
    if (own && media_type[0] && strcmp(own, media_type) != 0)
        return err_set(err, ERR_CORRUPT, "%s says it is %.80s, but was announced as %.80s", what,
                       own, media_type);
    const char *type = media_type[0] ? media_type : own ? own : "";
    if ((oci_is_index_type(type) && !manifests) || (is_manifest_type(type) && manifests))
        return err_set(err, ERR_CORRUPT, "%s does not have the form of %.80s", what, type);
    if (!manifests && !layers)
        return err_set(err, ERR_CORRUPT,
                       "%s is neither an image index nor an image manifest: check the name or URL",
                       what);
    d->is_index = manifests != NULL;
    return manifests ? parse_list(manifests, d, what, err)
                     : parse_manifest(j, layers, d, what, err);
}

int oci_doc_parse(struct oci_doc *d, const u8 *p, size_t n, const char *media_type,
                  const char *what, struct err *err) {
    *d = (struct oci_doc){0};
    cJSON *j = json_parse(p, n, what, err);
    if (!j) return -1;
    int r = parse_doc(j, d, media_type, what, err);
    cJSON_Delete(j);
    if (r < 0) oci_doc_free(d);
    return r;
}

static bool tag_matches(const struct oci_desc *d, const char *tag) {
    if (!strcmp(d->ref_name, tag) || !strcmp(d->image_name, tag)) return true;
    // Full names, as docker save and nerdctl write them: "docker.io/library/debian:12" for "12".
    const char *names[] = {d->ref_name, d->image_name};
    for (int i = 0; i < 2; i++) {
        const char *colon = strrchr(names[i], ':');
        if (colon && !strcmp(colon + 1, tag)) return true;
    }
    return false;
}

static const char *name_of(const struct oci_desc *d) {
    return d->ref_name[0] ? d->ref_name : d->image_name;
}

// Images only: no attestations and no other artifacts.
enum { ARCH_NAME = 32, ARCHS_MAX = 8 };

// The next name of a list; NULL at its end.
static const char *next_arch(const char **list, char name[ARCH_NAME]) {
    if (!*list || !**list) return NULL;
    size_t n = strcspn(*list, ",");
    snprintf(name, ARCH_NAME, "%.*s", n < ARCH_NAME ? (int)n : ARCH_NAME - 1, *list);
    *list += n + ((*list)[n] == ',');
    return oci_arch_name(name);
}

int oci_arch_rank(const char *list, const char *have) {
    char room[ARCH_NAME];
    const char *name;
    have = oci_arch_name(have);
    for (int i = 0; i < ARCHS_MAX && (name = next_arch(&list, room)); i++)
        if (!strcmp(name, have)) return i;
    return -1;
}

void oci_arch_text(const char *list, struct buf *out) {
    char room[ARCH_NAME];
    const char *name, *rest = list;
    if (!list) buf_put_str(out, "linux");
    for (int i = 0; i < ARCHS_MAX && (name = next_arch(&rest, room)); i++)
        if (oci_arch_rank(list, name) == i) buf_printf(out, "%slinux/%s", i ? " or " : "", name);
}

static bool is_image(const struct oci_desc *d) {
    return !d->attestation && (!d->media_type[0] || oci_is_index_type(d->media_type) ||
                               is_manifest_type(d->media_type));
}

// Writes the distinct names or platforms of an index into `b`.
static void list_entries(const struct oci_doc *d, bool platforms, struct buf *b) {
    for (unsigned i = 0; i < d->n && b->len < 300; i++) {
        const struct oci_desc *e = &d->v[i];
        if (!is_image(e) || (platforms ? !e->architecture[0] : !name_of(e)[0])) continue;
        buf_put_str(b, b->len ? ", " : "");
        if (platforms)
            buf_printf(b, "%.20s/%.20s%s%.10s", e->os, e->architecture, e->variant[0] ? "/" : "",
                       e->variant);
        else
            buf_printf(b, "%.80s", name_of(e));
    }
    if (b->len == 0) buf_put_str(b, "none");
}

static const struct oci_desc *choose_failed(const struct oci_doc *d, const char *fmt_what,
                                            const char *wanted, const char *what, struct err *err) {
    struct buf b = {0};
    list_entries(d, false, &b);
    err_set(err, ERR_NOTFOUND, "%s %s %s; it has: %s", what, fmt_what, wanted, buf_cstr(&b));
    buf_free(&b);
    return NULL;
}

static const struct oci_desc *wrong_platform(const struct oci_doc *d, const char *arch,
                                             const char *what, struct err *err) {
    struct buf b = {0}, platform = {0};
    list_entries(d, true, &b);
    oci_arch_text(arch, &platform);
    err_set(err, ERR_UNSUPPORTED,
            "%s has no image for %s, only for: %s. Build or choose an image for %s", what,
            buf_cstr(&platform), buf_cstr(&b), buf_cstr(&platform));
    buf_free(&b);
    buf_free(&platform);
    return NULL;
}

// The tag to look for when none was given: "latest", or whatever the only name is. "" when no entry
// has a name; NULL when several have different ones.
static const char *default_tag(const struct oci_doc *d) {
    const char *only = NULL;
    for (unsigned i = 0; i < d->n; i++) {
        if (!is_image(&d->v[i])) continue;
        const char *name = name_of(&d->v[i]);
        if (tag_matches(&d->v[i], "latest")) return "latest";
        if (only && strcmp(only, name) != 0) only = "\x01";
        if (!only) only = name;
    }
    if (!only) return "";
    return only[0] == 1 ? NULL : only;
}

// How well an entry serves: 0 not at all.
static int fitness(const struct oci_desc *e, const char *arch) {
    if (!is_image(e)) return 0;
    bool index = oci_is_index_type(e->media_type);
    if (!e->architecture[0]) return index ? 2 : 1; // must be opened to be known
    if (e->os[0] && strcmp(e->os, "linux") != 0) return 0;
    if (!arch) return 3;
    int rank = oci_arch_rank(arch, e->architecture);
    if (rank < 0) return 0;
    return 4 + 2 * (ARCHS_MAX - rank) + !e->variant[0]; // the plain one runs everywhere
}

const struct oci_desc *oci_doc_choose(const struct oci_doc *d, const char *arch, bool tagged,
                                      const char *tag, const char *what, struct err *err) {
    bool any = false;
    for (unsigned i = 0; i < d->n; i++) any |= is_image(&d->v[i]);
    if (!any) {
        err_set(err, ERR_NOTFOUND, "%s lists no container image", what);
        return NULL;
    }
    const char *want = tagged ? (tag ? tag : default_tag(d)) : "";
    if (!want) return choose_failed(d, "holds several images;", "say which by its tag", what, err);
    bool found = !tagged || !want[0];
    const struct oci_desc *best = NULL;
    int best_fit = 0;
    for (unsigned i = 0; i < d->n; i++) {
        const struct oci_desc *e = &d->v[i];
        if (!is_image(e) || (want[0] && !tag_matches(e, want) && strcmp(name_of(e), want) != 0))
            continue;
        found = true;
        int fit = fitness(e, arch);
        if (fit > best_fit) best = e, best_fit = fit;
    }
    if (!found) return choose_failed(d, "has no image tagged", want, what, err);
    if (!best) return wrong_platform(d, arch, what, err);
    return best;
}
