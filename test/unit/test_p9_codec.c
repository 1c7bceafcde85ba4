// Messages: every kind packed and unpacked again, cut short everywhere, and known bytes.
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "p9/codec.h"
#include "p9/linux.h"

static u32 seed = 1;
static u32 rnd(void) { return seed = seed * 1664525u + 1013904223u; }
static u64 rnd64(void) { return (u64)rnd() << 32 | rnd(); }

static const char text[] = "some bytes to point to, long enough for every string of a message";

static struct p9_str rnd_str(void) { return (struct p9_str){text, (u16)(rnd() >> 8 & 31)}; }
static struct p9_qid rnd_qid(void) { return (struct p9_qid){(u8)rnd(), rnd(), rnd64()}; }

// A filler and a comparison for each message, from the table.
#define U8(f)   m->f = (u8)rnd();
#define U16(f)  m->f = (u16)rnd();
#define U32(f)  m->f = rnd();
#define U64(f)  m->f = rnd64();
#define STR(f)  m->f = rnd_str();
#define DATA(f) m->f = (struct p9_data){(const u8 *)text, rnd() >> 8 & 31};
#define QID(f)  m->f = rnd_qid();
#define NAMES(f)                                                                                   \
    m->f.n = (u16)((rnd() >> 8) % 17);                                                             \
    for (unsigned i = 0; i < m->f.n; i++) m->f.s[i] = rnd_str();
#define QIDS(f)                                                                                    \
    m->f.n = (u16)((rnd() >> 8) % 17);                                                             \
    for (unsigned i = 0; i < m->f.n; i++) m->f.q[i] = rnd_qid();
#define MSG(num, name, fields)                                                                     \
    static void fill_##name(struct p9_##name *m) {                                                 \
        (void)m;                                                                                   \
        fields                                                                                     \
    }
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

static void same_str(struct p9_str a, struct p9_str b) {
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.p, b.p, a.len);
}
static void same_qid(struct p9_qid a, struct p9_qid b) {
    assert_true(a.type == b.type && a.version == b.version && a.path == b.path);
}

#define U8(f)  assert_true(a->f == b->f);
#define U16(f) assert_true(a->f == b->f);
#define U32(f) assert_true(a->f == b->f);
#define U64(f) assert_true(a->f == b->f);
#define STR(f) same_str(a->f, b->f);
#define DATA(f)                                                                                    \
    assert_int_equal(a->f.count, b->f.count);                                                      \
    assert_memory_equal(a->f.p, b->f.p, a->f.count);
#define QID(f) same_qid(a->f, b->f);
#define NAMES(f)                                                                                   \
    assert_int_equal(a->f.n, b->f.n);                                                              \
    for (unsigned i = 0; i < a->f.n; i++) same_str(a->f.s[i], b->f.s[i]);
#define QIDS(f)                                                                                    \
    assert_int_equal(a->f.n, b->f.n);                                                              \
    for (unsigned i = 0; i < a->f.n; i++) same_qid(a->f.q[i], b->f.q[i]);
#define MSG(num, name, fields)                                                                     \
    static void same_##name(const struct p9_##name *a, const struct p9_##name *b) {                \
        (void)a, (void)b;                                                                          \
        fields                                                                                     \
    }
#include "p9/codec.def"
#undef MSG

// Cut anywhere, or with a byte too many, a message is refused; so is one packed into too little
// room.
static void refused_when_damaged(const struct p9_msg *m, const u8 *bytes, size_t len) {
    u8 copy[4096], out[4096];
    struct p9_msg got;
    for (size_t cut = 0; cut < len; cut++) {
        u8 *exact = malloc(cut ? cut : 1); // so that a sanitizer sees a read past the end
        memcpy(exact, bytes, cut);
        if (cut >= 4) put_le32(exact, (u32)cut);
        assert_true(p9_unpack(&got, exact, cut) != P9_OK);
        free(exact);
        assert_int_equal(p9_pack(m, out, cut), 0);
    }
    memcpy(copy, bytes, len);
    copy[len] = 0;
    assert_int_equal(p9_unpack(&got, copy, len + 1), P9_BAD_HEADER);
    put_le32(copy, (u32)len + 1);
    assert_int_equal(p9_unpack(&got, copy, len + 1), P9_BAD_BODY);
}

static void round_trip(void **state) {
    (void)state;
    u8 bytes[4096];
    for (unsigned round = 0; round < 20; round++) {
#define MSG(num, name, fields)                                                                     \
    {                                                                                              \
        struct p9_msg m = {.type = num, .tag = (u16)rnd()}, got;                                   \
        fill_##name(&m.name);                                                                      \
        size_t len = p9_pack(&m, bytes, sizeof bytes);                                             \
        assert_true(len >= P9_HEADER);                                                             \
        assert_int_equal(p9_unpack(&got, bytes, len), P9_OK);                                      \
        assert_true(got.type == num && got.tag == m.tag);                                          \
        same_##name(&m.name, &got.name);                                                           \
        assert_string_equal(p9_type_name(num), #name);                                             \
        refused_when_damaged(&m, bytes, len);                                                      \
    }
#include "p9/codec.def"
#undef MSG
    }
}

// Bytes as Linux sends them.
static void known_bytes(void **state) {
    (void)state;
    static const u8 version[] = {21, 0, 0,   0,   100, 0xff, 0xff, 0,   32,  0,  0,
                                 8,  0, '9', 'P', '2', '0',  '0',  '0', '.', 'L'};
    static const u8 walk[] = {27, 0, 0, 0, 110, 1,   0,   5,   0, 0, 0,   6,   0,  0,
                              0,  2, 0, 3, 0,   'a', 'b', 'c', 3, 0, 'd', 'e', 'f'};
    struct p9_msg m;
    u8 out[64];
    assert_int_equal(p9_unpack(&m, version, sizeof version), P9_OK);
    assert_int_equal(m.tag, P9_NOTAG);
    assert_int_equal(m.Tversion.msize, 8192);
    assert_memory_equal(m.Tversion.version.p, "9P2000.L", 8);
    assert_int_equal(p9_unpack(&m, walk, sizeof walk), P9_OK);
    assert_int_equal(m.Twalk.fid, 5);
    assert_int_equal(m.Twalk.newfid, 6);
    assert_int_equal(m.Twalk.names.n, 2);
    assert_memory_equal(m.Twalk.names.s[1].p, "def", 3);
    assert_int_equal(p9_pack(&m, out, sizeof out), sizeof walk);
    assert_memory_equal(out, walk, sizeof walk);
}

static void malformed(void **state) {
    (void)state;
    struct p9_msg m;
    u8 bytes[64] = {11, 0, 0, 0, 99, 7, 0};
    assert_int_equal(p9_unpack(&m, bytes, 11), P9_UNKNOWN_TYPE);
    assert_int_equal(m.tag, 7);
    assert_string_equal(p9_type_name(99), "?");
    assert_int_equal(p9_unpack(&m, bytes, 0), P9_BAD_HEADER);
    // Seventeen names; a count of 4 GiB.
    m = (struct p9_msg){.type = P9_Twalk};
    m.Twalk.names.n = 16;
    for (unsigned i = 0; i < 16; i++) m.Twalk.names.s[i] = (struct p9_str){"", 0};
    size_t len = p9_pack(&m, bytes, sizeof bytes);
    put_le16(bytes + 15, 17);
    put_le32(bytes, (u32)len + 2);
    assert_int_equal(p9_unpack(&m, bytes, len + 2), P9_BAD_BODY);
    m = (struct p9_msg){.type = P9_Twrite, .Twrite.data = {(const u8 *)"x", 1}};
    len = p9_pack(&m, bytes, sizeof bytes);
    put_le32(bytes + 19, 0xffffffff);
    assert_int_equal(p9_unpack(&m, bytes, len), P9_BAD_BODY);
}

static void data_in_place(void **state) {
    (void)state;
    u8 out[32];
    memset(out, 'z', sizeof out);
    struct p9_msg m = {.type = P9_Rread, .Rread.data = {out + 11, 5}};
    assert_int_equal(p9_pack(&m, out, sizeof out), 16);
    assert_memory_equal(out + 11, "zzzzz", 5);
    assert_int_equal(get_le32(out + 7), 5);
}

static void dirents(void **state) {
    (void)state;
    u8 out[64];
    struct p9_qid qid = {P9_QT_DIR, 1, 42}, q;
    size_t n = p9_pack_dirent(out, sizeof out, qid, 7, LX_DT_DIR, "name", 4);
    assert_int_equal(n, 13 + 8 + 1 + 2 + 4);
    for (size_t cut = 0; cut < n; cut++)
        assert_int_equal(p9_pack_dirent(out, cut, qid, 7, LX_DT_DIR, "name", 4), 0);
    u64 off;
    u8 dtype;
    struct p9_str name;
    p9_pack_dirent(out, sizeof out, qid, 7, LX_DT_DIR, "name", 4);
    assert_int_equal(p9_unpack_dirent(out, n, &q, &off, &dtype, &name), n);
    same_qid(q, qid);
    assert_true(off == 7 && dtype == LX_DT_DIR);
    same_str(name, (struct p9_str){"name", 4});
    assert_int_equal(p9_unpack_dirent(out, n - 1, &q, &off, &dtype, &name), 0);
}

// linux.h says what this Linux says.
static void constants(void **state) {
    (void)state;
    assert_true(LX_ENOENT == ENOENT && LX_EIO == EIO && LX_ENOTEMPTY == ENOTEMPTY);
    assert_true(LX_EOPNOTSUPP == EOPNOTSUPP && LX_ESTALE == ESTALE && LX_ENODATA == ENODATA);
    assert_true(LX_ELOOP == ELOOP && LX_ENAMETOOLONG == ENAMETOOLONG && LX_EPROTO == EPROTO);
    assert_true(LX_EMSGSIZE == EMSGSIZE && LX_EDEADLK == EDEADLK && LX_ENOLCK == ENOLCK);
    assert_true(LX_EILSEQ == EILSEQ && LX_EOVERFLOW == EOVERFLOW && LX_EDQUOT == EDQUOT);
    assert_true(LX_S_IFLNK == S_IFLNK && LX_S_IFSOCK == S_IFSOCK && LX_S_IFMT == S_IFMT);
#ifdef __x86_64__
    assert_true(LX_O_CREAT == O_CREAT && LX_O_EXCL == O_EXCL && LX_O_TRUNC == O_TRUNC);
    assert_true(LX_O_APPEND == O_APPEND && LX_O_SYNC == (O_SYNC & ~O_DSYNC));
    assert_true(LX_O_DIRECTORY == O_DIRECTORY && LX_O_DSYNC == O_DSYNC);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),    cmocka_unit_test(known_bytes), cmocka_unit_test(malformed),
        cmocka_unit_test(data_in_place), cmocka_unit_test(dirents),     cmocka_unit_test(constants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
