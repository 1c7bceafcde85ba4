// WebAssembly's binary encoding. Depends on base only.
#include "emit/wasm/encode.h"

#include <string.h>

void w_u32(struct buf *b, u32 v) {
    u8 t[5];
    unsigned n = 0;
    do {
        t[n] = v & 0x7f;
        v >>= 7;
        if (v) t[n] |= 0x80;
        n++;
    } while (v);
    buf_put(b, t, n);
}

void w_s64(struct buf *b, i64 v) {
    u8 t[10];
    unsigned n = 0;
    for (bool more = true; more; n++) {
        t[n] = v & 0x7f;
        v >>= 7;
        more = !((v == 0 && !(t[n] & 0x40)) || (v == -1 && (t[n] & 0x40)));
        if (more) t[n] |= 0x80;
    }
    buf_put(b, t, n);
}

void w_i32_const(struct buf *b, i32 v) {
    w_op(b, W_I32_CONST);
    w_s64(b, v);
}

void w_i64_const(struct buf *b, i64 v) {
    w_op(b, W_I64_CONST);
    w_s64(b, v);
}

void w_local(struct buf *b, u8 op, u32 local) {
    w_op(b, op);
    w_u32(b, local);
}

void w_mem(struct buf *b, u8 op, u32 align_log2, u32 offset) {
    w_op(b, op);
    w_u32(b, align_log2);
    w_u32(b, offset);
}

void w_name(struct buf *b, const char *s) {
    w_u32(b, (u32)strlen(s));
    buf_put_str(b, s);
}

void w_section(struct buf *b, u8 id, const struct buf *body) {
    w_op(b, id);
    w_u32(b, (u32)body->len);
    buf_put(b, body->data, body->len);
}
