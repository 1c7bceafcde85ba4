// 9P2000.L messages as structs. codec.def says what each consists of; the structs, the packing and
// the unpacking are all made from it.
#ifndef BERTH_P9_CODEC_H
#define BERTH_P9_CODEC_H

#include "base/types.h"

enum { P9_HEADER = 7, P9_MAX_NAMES = 16, P9_NOTAG = 0xffff };
#define P9_NOFID 0xffffffffu

// Not NUL-terminated. Unpacked strings and data point into the message.
struct p9_str {
    const char *p;
    u16 len;
};
struct p9_data {
    const u8 *p; // packing: NULL, or already in place in the output, copies nothing
    u32 count;
};
struct p9_qid {
    u8 type; // P9_QT_*
    u32 version;
    u64 path;
};
struct p9_names {
    u16 n;
    struct p9_str s[P9_MAX_NAMES];
};
struct p9_qids {
    u16 n;
    struct p9_qid q[P9_MAX_NAMES];
};

enum { P9_QT_FILE = 0, P9_QT_SYMLINK = 2, P9_QT_DIR = 0x80 };

// A struct for each message: struct p9_Tversion { u32 msize; struct p9_str version; }; ...
// (messages without fields carry one unused byte, an empty struct not being C).
#define U8(f)    u8 f;
#define U16(f)   u16 f;
#define U32(f)   u32 f;
#define U64(f)   u64 f;
#define STR(f)   struct p9_str f;
#define DATA(f)  struct p9_data f;
#define QID(f)   struct p9_qid f;
#define NAMES(f) struct p9_names f;
#define QIDS(f)  struct p9_qids f;
#define MSG(num, name, fields)                                                                     \
    struct p9_##name {                                                                             \
        fields u8 unused_;                                                                         \
    };
#include "p9/codec.def"
#undef MSG
#undef U8
#undef U16
#undef U32
#undef U64
#undef STR
#undef DATA
#undef QID
#undef NAMES
#undef QIDS

enum p9_type {
#define MSG(num, name, fields) P9_##name = num,
#include "p9/codec.def"
#undef MSG
};

struct p9_msg {
    u8 type; // enum p9_type
    u16 tag;
    union {
#define MSG(num, name, fields) struct p9_##name name;
#include "p9/codec.def"
#undef MSG
    };
};

enum p9_codec_result {
    P9_OK = 0,
    P9_BAD_HEADER,   // too short, or size[4] differs from len: not even a tag to answer to
    P9_UNKNOWN_TYPE, // type and tag are set
    P9_BAD_BODY,     // type and tag are set; a field goes past the end, or bytes are left over
};

// Reads one whole message of `len` bytes; strings and data point into `bytes`.
enum p9_codec_result p9_unpack(struct p9_msg *m, const u8 *bytes, size_t len);

// Writes `m` with its header to out[0..cap); returns the length, 0 when it does not fit.
size_t p9_pack(const struct p9_msg *m, u8 *out, size_t cap);

// "Tversion" and so on; "?" for a type that is not in the table.
const char *p9_type_name(u8 type);

// Writes one entry of Rreaddir's data; returns its length, 0 when it does not fit.
size_t p9_pack_dirent(u8 *out, size_t cap, struct p9_qid qid, u64 offset, u8 dtype,
                      const char *name, size_t name_len);
// Reads the entry at data[0..len); returns its length, 0 when malformed.
size_t p9_unpack_dirent(const u8 *data, size_t len, struct p9_qid *qid, u64 *offset, u8 *dtype,
                        struct p9_str *name);

#endif
