// Bounded JSON over cJSON. Depends on base and cJSON.
//
// cJSON recurses once a nesting level and takes about 64 bytes an item, so depth and number of
// items are bounded by a scan of the bytes before it sees them.
#include "oci/json.h"

#include <string.h>

enum { DEPTH_MAX = 64, ITEMS_MAX = 200000 };

bool json_looks_like_html(const u8 *p, size_t n) {
    if (n >= 3 && !memcmp(p, "\xef\xbb\xbf", 3)) p += 3, n -= 3;
    while (n && (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')) p++, n--;
    return n && *p == '<';
}

static int check_bounds(const u8 *p, size_t n, const char *what, struct err *err) {
    size_t depth = 0, items = 0;
    bool in_string = false;
    for (size_t i = 0; i < n; i++) {
        if (in_string) {
            if (p[i] == '\\')
                i++;
            else if (p[i] == '"')
                in_string = false;
            continue;
        }
        switch (p[i]) {
        case '"':
            in_string = true;
            break;
        case '[':
        case '{':
            if (++depth > DEPTH_MAX)
                return err_set(err, ERR_LIMIT, "%s is nested deeper than %d levels", what,
                               DEPTH_MAX);
            items++;
            break;
        case ']':
        case '}':
            if (depth) depth--;
            break;
        case ',':
            items++;
            break;
        default:
            break;
        }
        if (items > ITEMS_MAX)
            return err_set(err, ERR_LIMIT, "%s has more than %d items", what, ITEMS_MAX);
    }
    return 0;
}

cJSON *json_parse(const u8 *p, size_t n, const char *what, struct err *err) {
    if (json_looks_like_html(p, n)) {
        err_set(err, ERR_CORRUPT,
                "%s: the server answered with a web page, not an image: check the URL", what);
        return NULL;
    }
    if (n > JSON_SIZE_MAX) {
        err_set(err, ERR_LIMIT, "%s is larger than %d bytes", what, JSON_SIZE_MAX);
        return NULL;
    }
    if (check_bounds(p, n, what, err) < 0) return NULL;
    const char *end = NULL;
    cJSON *j = cJSON_ParseWithLengthOpts((const char *)p, n, &end, 0);
    if (!j) {
        size_t at = end ? (size_t)(end - (const char *)p) : 0;
        err_set(err, ERR_CORRUPT,
                "%s is not valid JSON (at byte %zu of %zu): it is cut off, damaged or something "
                "else; build or copy the image again",
                what, at, n);
        return NULL;
    }
    const char *stop = (const char *)p + n;
    while (end < stop && (*end == ' ' || *end == '\t' || *end == '\r' || *end == '\n')) end++;
    if (end != stop || !cJSON_IsObject(j)) {
        err_set(err, ERR_CORRUPT, "%s is not a single JSON object", what);
        cJSON_Delete(j);
        return NULL;
    }
    return j;
}

static const cJSON *member(const cJSON *obj, const char *key) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(obj, key);
    return v && !cJSON_IsNull(v) ? v : NULL;
}

static int wrong(const char *key, const char *type, const char *what, struct err *err) {
    return err_set(err, ERR_CORRUPT, "%s: \"%s\" is not %s", what, key, type);
}

int json_string(const cJSON *obj, const char *key, const char **out, const char *what,
                struct err *err) {
    const cJSON *v = member(obj, key);
    *out = NULL;
    if (v && !cJSON_IsString(v)) return wrong(key, "a string", what, err);
    if (v) *out = v->valuestring;
    return 0;
}

int json_object(const cJSON *obj, const char *key, const cJSON **out, const char *what,
                struct err *err) {
    *out = member(obj, key);
    return *out && !cJSON_IsObject(*out) ? wrong(key, "an object", what, err) : 0;
}

int json_array(const cJSON *obj, const char *key, const cJSON **out, const char *what,
               struct err *err) {
    *out = member(obj, key);
    return *out && !cJSON_IsArray(*out) ? wrong(key, "a list", what, err) : 0;
}

int json_size(const cJSON *obj, const char *key, u64 *out, const char *what, struct err *err) {
    const cJSON *v = member(obj, key);
    if (!v) return 0;
    double d = cJSON_IsNumber(v) ? v->valuedouble : -1;
    if (!(d >= 0 && d <= 9007199254740992.0) || d != (double)(u64)d) // exact in a double
        return wrong(key, "a size", what, err);
    *out = (u64)d;
    return 0;
}
