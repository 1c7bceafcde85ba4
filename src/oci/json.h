// JSON documents from registries and layouts: parsed within bounds, read with checked types.
#ifndef BERTH_OCI_JSON_H
#define BERTH_OCI_JSON_H

#include <cjson/cJSON.h>

#include "base/err.h"
#include "base/types.h"

enum { JSON_SIZE_MAX = 4 << 20 }; // as registries bound manifests

// The document's top-level object; free with cJSON_Delete. `what` names the document in errors.
cJSON *json_parse(const u8 *p, size_t n, const char *what, struct err *err);

// Members of an object. Absent or null: *out is NULL (or stays as it was, for numbers) and 0 is
// returned; of another type: <0 with an error naming document and member.
int json_string(const cJSON *obj, const char *key, const char **out, const char *what,
                struct err *err);
int json_object(const cJSON *obj, const char *key, const cJSON **out, const char *what,
                struct err *err);
int json_array(const cJSON *obj, const char *key, const cJSON **out, const char *what,
               struct err *err);
int json_size(const cJSON *obj, const char *key, u64 *out, const char *what, struct err *err);

// The bytes begin like a web page: what a server answers instead of a missing file.
bool json_looks_like_html(const u8 *p, size_t n);

#endif
