// What tar.c (blocks and entries) and tar_meta.c (pax records, sparse maps) share.
#ifndef BERTH_OCI_TAR_IMPL_H
#define BERTH_OCI_TAR_IMPL_H

#include "base/buf.h"
#include "oci/tar.h"

enum {
    TAR_BLOCK_SIZE = 512,
    TAR_META_MAX = 1 << 20,   // bytes of one pax header or long name
    TAR_SPARSE_MAX = 1 << 18, // pieces of one sparse file
    TAR_XATTRS_MAX = 256,
};

struct tar_piece {
    u64 off, len;
};

// What pax records and GNU long names say about the next entry. Zeroed between entries.
struct tar_pax {
    struct buf path, link; // with NUL; empty: not given
    bool has_size, has_mtime, has_uid, has_gid;
    u64 size, uid, gid;
    i64 mtime_s;
    u32 mtime_ns;
    struct buf xattr_bytes; // name NUL value, xattr after xattr
    struct {
        size_t name, value, len;
    } xattr[TAR_XATTRS_MAX]; // positions in xattr_bytes
    unsigned nxattrs;
    // GNU.sparse.*: 0.0 and 0.1 give the map here, 1.0 puts it before the contents.
    bool sparse, sparse_v1, sparse_name, has_realsize, has_offset;
    u64 realsize, offset;
};

struct tar_map {
    struct tar_piece *v;
    size_t n, cap;
};

int tar_pax_parse(struct tar_pax *x, struct tar_map *map, const u8 *p, size_t n, struct err *err);
void tar_pax_clear(struct tar_pax *x);
int tar_pax_set_name(struct buf *dst, const u8 *p, size_t n, const char *what, struct err *err);

int tar_map_add(struct tar_map *m, u64 off, u64 len, struct err *err);
// Pieces ascend without overlap within `size`, and hold `stored` bytes together.
int tar_map_check(const struct tar_map *m, u64 size, u64 stored, const char *name, struct err *err);

// A number field of a header: octal text or base-256. False: not a number, or above `max`.
bool tar_number(const u8 *p, size_t n, u64 max, u64 *v);
bool tar_number_signed(const u8 *p, size_t n, i64 *v);
// Decimal digits only, up to 2^63-1.
bool tar_decimal(const char *p, size_t n, u64 *v);

#endif
