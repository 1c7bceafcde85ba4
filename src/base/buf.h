// A growable byte buffer and bounded byte cursors for reading and writing wire formats.
#ifndef BERTH_BASE_BUF_H
#define BERTH_BASE_BUF_H

#include "base/compiler.h"
#include "base/types.h"

// Owned growable bytes. Zero-initialise to start empty. After a failed allocation `oom` is set, the
// contents stay as they were and every later append is a no-op: check once at the end.
struct buf {
    u8 *data;
    size_t len, cap;
    bool oom;
};

void buf_free(struct buf *b); // releases and empties
bool buf_reserve(struct buf *b, size_t extra);
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_u8(struct buf *b, u8 v);
void buf_put_le16(struct buf *b, u16 v);
void buf_put_le32(struct buf *b, u32 v);
void buf_put_le64(struct buf *b, u64 v);
void buf_put_str(struct buf *b, const char *s); // bytes of s, no NUL
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_consume(struct buf *b, size_t n); // drops n bytes from the front
const char *buf_cstr(struct buf *b);       // NUL-terminates (not counted in len); "" when empty

// Reading cursor. A read past the end sets `bad`, returns 0 and leaves the cursor at the end.
struct rd {
    const u8 *p, *end;
    bool bad;
};

static inline struct rd rd_of(const void *p, size_t n) {
    return (struct rd){(const u8 *)p, (const u8 *)p + n, false};
}
static inline size_t rd_left(const struct rd *r) { return (size_t)(r->end - r->p); }
const u8 *rd_bytes(struct rd *r, size_t n); // NULL and bad when short
u8 rd_u8(struct rd *r);
u16 rd_le16(struct rd *r);
u32 rd_le32(struct rd *r);
u64 rd_le64(struct rd *r);

// Unaligned little-endian loads and stores.
static inline u16 get_le16(const void *p) {
    const u8 *b = (const u8 *)p;
    return (u16)(b[0] | b[1] << 8);
}
static inline u32 get_le32(const void *p) {
    const u8 *b = (const u8 *)p;
    return (u32)b[0] | (u32)b[1] << 8 | (u32)b[2] << 16 | (u32)b[3] << 24;
}
static inline u64 get_le64(const void *p) {
    return (u64)get_le32(p) | (u64)get_le32((const u8 *)p + 4) << 32;
}
static inline void put_le16(void *p, u16 v) {
    u8 *b = (u8 *)p;
    b[0] = (u8)v, b[1] = (u8)(v >> 8);
}
static inline void put_le32(void *p, u32 v) {
    u8 *b = (u8 *)p;
    b[0] = (u8)v, b[1] = (u8)(v >> 8), b[2] = (u8)(v >> 16), b[3] = (u8)(v >> 24);
}
static inline void put_le64(void *p, u64 v) {
    put_le32(p, (u32)v);
    put_le32((u8 *)p + 4, (u32)(v >> 32));
}

#endif
