// The tar reader: headers and contents as they come out, at every way of cutting the input.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "oci/tar.h"
#include "oci/tar_impl.h"
#include "oci_fixture.h"

// Everything the sink saw, as text: "type path->link mode uid:gid size@mtime.ns dev [xattrs]
// {off:bytes}\n".
static int see_entry(void *arg, const struct tar_entry *e, struct err *err) {
    struct buf *b = arg;
    (void)err;
    buf_printf(b, "\n%c %s", "fhlcbdp"[e->type], e -> path);
    if (e->link[0]) buf_printf(b, "->%s", e->link);
    buf_printf(b, " %o %u:%u %llu@%lld", e->mode, e->uid, e->gid, (unsigned long long)e->size,
               (long long)e->mtime_s);
    if (e->mtime_ns) buf_printf(b, ".%09u", e->mtime_ns);
    if (e->type == TAR_CHAR || e->type == TAR_BLOCK)
        buf_printf(b, " %u,%u", e->devmajor, e->devminor);
    for (unsigned i = 0; i < e->nxattrs; i++)
        buf_printf(b, " [%s=%.*s]", e->xattrs[i].name, (int)e->xattrs[i].len, e->xattrs[i].value);
    return 0;
}

// Pieces of one run of contents come out joined, however they arrived.
static u64 next_off = ~(u64)0;
static int see_data(void *arg, u64 off, const u8 *p, size_t n, struct err *err) {
    struct buf *b = arg;
    (void)err;
    if (off != next_off || b->data[b->len - 1] != '}')
        buf_printf(b, " {%llu:", (unsigned long long)off);
    else
        b->len--;
    buf_put(b, p, n);
    buf_put_u8(b, '}');
    next_off = off + n;
    return 0;
}

static int feed_all(const struct buf *in, size_t step, struct buf *out, struct err *err) {
    struct tar *t = tar_create(&(struct tar_sink){out, see_entry, see_data});
    int r = 0;
    next_off = ~(u64)0;
    for (size_t at = 0; at < in->len && r == 0; at += step)
        r = tar_feed(t, in->data + at, in->len - at < step ? in->len - at : step, err);
    if (r == 0) r = tar_end(t, err);
    tar_destroy(t);
    return r;
}

// The archive gives `want` whether fed at once, in odd pieces or byte by byte. Frees it.
static void expect(struct buf *in, const char *want) {
    static const size_t STEP[] = {1 << 20, 512, 1000, 7, 1};
    for (size_t i = 0; i < ARRAY_LEN(STEP); i++) {
        struct buf out = {0};
        struct err err = {0};
        if (feed_all(in, STEP[i], &out, &err) < 0) fail_msg("step %zu: %s", STEP[i], err.msg);
        assert_string_equal(buf_cstr(&out), want);
        buf_free(&out);
    }
    buf_free(in);
}

static void expect_error(struct buf *in, int code, const char *words) {
    struct buf out = {0};
    struct err err = {0};
    assert_int_equal(feed_all(in, 100, &out, &err) < 0, 1);
    if (err.code != code || !strstr(err.msg, words)) fail_msg("%d: %s", err.code, err.msg);
    buf_free(&out);
    buf_free(in);
}

static void every_type(void **state) {
    (void)state;
    struct buf b = {0};
    tar_dir(&b, "d/");
    tar_header(&b, (struct entry){
                       .name = "d/f", .mode = 04755, .uid = 7, .gid = 8, .size = 5, .mtime = 99});
    tar_data(&b, "hello", 5);
    tar_header(&b, (struct entry){
                       .type = '1', .name = "h", .link = "d/f", .size = 5}); // no contents follow
    tar_header(&b, (struct entry){.type = '2', .name = "s", .link = "../x"});
    tar_header(&b, (struct entry){.type = '3', .name = "c", .major = 1, .minor = 3});
    tar_header(&b, (struct entry){.type = '4', .name = "b", .major = 259, .minor = 7});
    tar_header(&b, (struct entry){.type = '6', .name = "p"});
    tar_header(&b, (struct entry){.type = 0, .name = "old/"});
    tar_file(&b, "empty", "");
    tar_finish(&b);
    buf_put_str(&b, "what follows the end mark is ignored");
    expect(&b, "\nd d/ 755 0:0 0@0"
               "\nf d/f 4755 7:8 5@99 {0:hello}"
               "\nh h->d/f 644 0:0 0@0"
               "\nl s->../x 644 0:0 0@0"
               "\nc c 644 0:0 0@0 1,3"
               "\nb b 644 0:0 0@0 259,7"
               "\np p 644 0:0 0@0"
               "\nd old/ 644 0:0 0@0"
               "\nf empty 644 0:0 0@0");
}

static void pax_headers(void **state) {
    (void)state;
    struct buf b = {0}, x = {0};
    char longname[400];
    memset(longname, 'n', sizeof longname);
    longname[sizeof longname - 1] = 0;
    pax_record(&x, "path", longname);
    pax_record(&x, "linkpath", "over there");
    pax_record(&x, "mtime", "-1.25");
    pax_record(&x, "uid", "3000000000");
    pax_record(&x, "gid", "5");
    pax_record(&x, "uname", "nobody");
    pax_record(&x, "SCHILY.xattr.user.a", "b=c\nd");
    pax_record(&x, "SCHILY.xattr.user.e", "");
    tar_pax(&b, &x);
    tar_header(&b, (struct entry){.type = '2', .name = "short", .link = "no"});
    pax_record(&x, "size", "6");
    pax_record(&x, "path", "taken back");
    pax_record(&x, "path", "");
    tar_pax(&b, &x);
    tar_header(&b, (struct entry){.name = "f", .size = 0});
    tar_data(&b, "abcdef", 6);
    pax_record(&x, "path", "global names are ignored");
    tar_header(&b, (struct entry){.type = 'g', .name = "g", .size = x.len});
    tar_data(&b, x.data, x.len);
    buf_free(&x);
    tar_file(&b, "last", "");
    tar_finish(&b);
    struct buf want = {0};
    buf_printf(&want,
               "\nl %s->over there 644 3000000000:5 0@-2.750000000 [user.a=b=c\nd] [user.e=]"
               "\nf f 644 0:0 6@0 {0:abcdef}\nf last 644 0:0 0@0",
               longname);
    expect(&b, buf_cstr(&want));
    buf_free(&want);
}

static void gnu_names(void **state) {
    (void)state;
    struct buf b = {0};
    char name[300], link[700];
    memset(name, 'a', sizeof name);
    memset(link, 'b', sizeof link);
    name[299] = link[699] = 0;
    tar_header(&b, (struct entry){.type = 'K', .name = "././@LongLink", .size = sizeof link});
    tar_data(&b, link, sizeof link);
    tar_header(&b, (struct entry){.type = 'L', .name = "././@LongLink", .size = sizeof name});
    tar_data(&b, name, sizeof name);
    tar_header(&b, (struct entry){.type = '2', .name = "cut", .link = "cut"});
    tar_file(&b, "next", "1");
    struct buf want = {0};
    buf_printf(&want, "\nl %s->%s 644 0:0 0@0\nf next 644 0:0 1@0 {0:1}", name, link);
    expect(&b, buf_cstr(&want));
    buf_free(&want);
}

static void prefixes(void **state) {
    (void)state;
    struct buf b = {0};
    u8 *h = tar_header(&b, (struct entry){.name = "base"});
    memset(h + 345, 'p', 155); // ustar: a full field without NUL
    tar_checksum(h);
    h = tar_header(&b, (struct entry){.name = "base"});
    memset(h + 345, 'q', 131); // star: times come after 131 bytes
    memcpy(h + 345 + 131, "00000000000 00000000000 ", 24);
    memcpy(h + 508, "tar", 4);
    tar_checksum(h);
    h = tar_header(&b, (struct entry){.name = "gnu"}); // the same bytes are something else here
    memcpy(h + 257, "ustar  ", 8);
    memset(h + 345, '1', 10);
    tar_checksum(h);
    struct buf want = {0};
    buf_put_str(&want, "\nf ");
    for (int i = 0; i < 155; i++) buf_put_u8(&want, 'p');
    buf_put_str(&want, "/base 644 0:0 0@0\nf ");
    for (int i = 0; i < 131; i++) buf_put_u8(&want, 'q');
    buf_put_str(&want, "/base 644 0:0 0@0\nf gnu 644 0:0 0@0");
    expect(&b, buf_cstr(&want));
    buf_free(&want);
}

static void sparse_old(void **state) {
    (void)state;
    struct buf b = {0};
    u8 *h = tar_header(&b, (struct entry){.type = 'S', .name = "s", .size = 8});
    memcpy(h + 257, "ustar  ", 8);
    for (int i = 0; i < 4; i++)
        tar_octal(h + 386 + 24 * i, 11, 1000u * (unsigned)i + 1),
            tar_octal(h + 398 + 24 * i, 11, 1);
    h[482] = 1;
    tar_octal(h + 483, 11, 100000);
    tar_checksum(h);
    u8 ext[512] = {0};
    for (int i = 0; i < 2; i++)
        tar_octal(ext + 24 * i, 11, 5000 + 1000u * (unsigned)i),
            tar_octal(ext + 24 * i + 12, 11, 2);
    buf_put(&b, ext, 512);
    tar_data(&b, "abcdefgh", 8);
    tar_file(&b, "t", "x");
    expect(&b, "\nf s 644 0:0 100000@0 {1:a} {1001:b} {2001:c} {3001:d} {5000:ef} {6000:gh}"
               "\nf t 644 0:0 1@0 {0:x}");
}

static void sparse_pax(void **state) {
    (void)state;
    struct buf b = {0}, x = {0};
    pax_record(&x, "GNU.sparse.size", "50"); // 0.0
    pax_record(&x, "GNU.sparse.numblocks", "2");
    pax_record(&x, "GNU.sparse.offset", "10");
    pax_record(&x, "GNU.sparse.numbytes", "2");
    pax_record(&x, "GNU.sparse.offset", "20");
    pax_record(&x, "GNU.sparse.numbytes", "3");
    tar_pax(&b, &x);
    tar_file(&b, "v00", "abcde");
    pax_record(&x, "GNU.sparse.size", "60"); // 0.1
    pax_record(&x, "GNU.sparse.numblocks", "2");
    pax_record(&x, "GNU.sparse.name", "v01");
    pax_record(&x, "path", "GNUSparseFile.1/v01");
    pax_record(&x, "GNU.sparse.map", "0,1,30,4");
    tar_pax(&b, &x);
    tar_file(&b, "made up", "abcde");
    pax_record(&x, "GNU.sparse.major", "1"); // 1.0
    pax_record(&x, "GNU.sparse.minor", "0");
    pax_record(&x, "GNU.sparse.name", "v10");
    pax_record(&x, "GNU.sparse.realsize", "7000");
    tar_pax(&b, &x);
    tar_header(&b, (struct entry){.name = "made up", .size = 512 + 5});
    tar_data(&b, "2\n100\n2\n6000\n3\n", 15);
    tar_data(&b, "abcde", 5);
    pax_record(&x, "GNU.sparse.size", "77"); // only a hole
    pax_record(&x, "GNU.sparse.map", "");
    tar_pax(&b, &x);
    tar_file(&b, "hole", "");
    tar_file(&b, "t", "whole");
    expect(&b, "\nf v00 644 0:0 50@0 {10:ab} {20:cde}"
               "\nf v01 644 0:0 60@0 {0:a} {30:bcde}"
               "\nf v10 644 0:0 7000@0 {100:ab} {6000:cde}"
               "\nf hole 644 0:0 77@0"
               "\nf t 644 0:0 5@0 {0:whole}");
}

static void sparse_bad(void **state) {
    (void)state;
    static const struct {
        const char *map, *words;
    } BAD[] = {{"0,1,0,4", "out of order"},
               {"0,1,58,4", "out of order"},
               {"0,1,30,5", "names 6 bytes, but 5"},
               {"0,1,30", "malformed"},
               {"0,,1", "malformed"},
               {"9000000000000000000,9000000000000000000", "out of order"},
               {"99999999999999999999,1", "malformed"}};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct buf b = {0}, x = {0};
        pax_record(&x, "GNU.sparse.size", "60");
        pax_record(&x, "GNU.sparse.map", BAD[i].map);
        tar_pax(&b, &x);
        tar_file(&b, "s", "abcde");
        expect_error(&b, ERR_CORRUPT, BAD[i].words);
    }
    struct buf b = {0}, x = {0};
    pax_record(&x, "GNU.sparse.major", "1");
    pax_record(&x, "GNU.sparse.realsize", "10");
    tar_pax(&b, &x);
    tar_header(&b, (struct entry){.name = "f", .size = 512});
    tar_data(&b, "999999999\n", 10);
    expect_error(&b, ERR_CORRUPT, "sparse map");
}

static void numbers(void **state) {
    (void)state;
    u64 v;
    i64 s;
    assert_true(tar_number((const u8 *)"  17 \0  ", 8, 100, &v) && v == 15);
    assert_true(tar_number((const u8 *)"\0\0\0\0\0\0\0\0", 8, 100, &v) && v == 0);
    assert_true(tar_number((const u8 *)"77777777", 8, ~0ull, &v) && v == 077777777);
    assert_false(tar_number((const u8 *)"18      ", 8, 100, &v));
    assert_false(tar_number((const u8 *)"1 1     ", 8, 100, &v));
    assert_false(tar_number((const u8 *)"0000200\0", 8, 0100, &v));
    assert_true(tar_number((const u8 *)"\x80\0\0\0\0\0\x01\x02", 8, ~0ull, &v) && v == 0x102);
    assert_true(tar_number_signed((const u8 *)"\xff\xff\xff\xff\xff\xff\xff\xfe", 8, &s) &&
                s == -2);
    assert_false(tar_number((const u8 *)"\xff\xff\xff\xff\xff\xff\xff\xfe", 8, ~0ull, &v));
    // 63 bits fit, 64 do not.
    assert_true(
        tar_number((const u8 *)"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12, ~0ull, &v) &&
        v == INT64_MAX);
    assert_false(
        tar_number((const u8 *)"\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12, ~0ull, &v));
    assert_false(tar_number((const u8 *)"\x80\x01\0\0\0\0\0\0\0\0\0\0", 12, ~0ull, &v));
    assert_true(tar_decimal("9223372036854775799", 19, &v));
    assert_false(tar_decimal("9223372036854775808", 19, &v));
    assert_false(tar_decimal("", 0, &v));
    assert_false(tar_decimal("1x", 2, &v));
}

static void damaged(void **state) {
    (void)state;
    struct buf b = {0};
    tar_file(&b, "good", "1");
    tar_file(&b, "bad", "1");
    b.data[1024 + 3] ^= 1;
    expect_error(&b, ERR_CORRUPT, "checksum at byte 1024 after entry good");
    tar_file(&b, "cut", "some contents");
    b.len = 512 + 5;
    expect_error(&b, ERR_CORRUPT, "cut off in or after entry cut");
    tar_file(&b, "cut", "some contents");
    b.len = 300;
    expect_error(&b, ERR_CORRUPT, "not a tar");
    tar_file(&b, "one zero block", "");
    struct buf zero = {0};
    tar_finish(&zero);
    buf_put(&b, zero.data, 512);
    buf_free(&zero);
    tar_file(&b, "then more", "");
    expect_error(&b, ERR_CORRUPT, "checksum");
    tar_header(&b, (struct entry){.type = 'M', .name = "multi"});
    expect_error(&b, ERR_UNSUPPORTED, "type 0x4d");
    tar_header(&b, (struct entry){.name = ""});
    expect_error(&b, ERR_CORRUPT, "empty name");
    tar_header(&b, (struct entry){.type = 'x', .name = "pax", .size = 2 << 20});
    expect_error(&b, ERR_LIMIT, "1 MiB");
    tar_header(&b, (struct entry){.type = 'L', .name = "long", .size = 4});
    tar_data(&b, "a\0b", 4);
    expect_error(&b, ERR_CORRUPT, "NUL");
    u8 *h = tar_header(&b, (struct entry){.name = "f"});
    memcpy(h + 124, "9", 1);
    tar_checksum(h);
    expect_error(&b, ERR_CORRUPT, "bad size");
}

static void bad_pax(void **state) {
    (void)state;
    static const char *const BAD[] = {"5 a=b\n6 a=b\n",    "x a=b\n",       "6 a=b",
                                      "99999999999 a=b\n", "6a=b\n\n",      "5 =b\n",
                                      "7 path\n",          "1 a=b\n",       "12 uid=-1000\n",
                                      "10 size=x\n",       "12 mtime=1.x\n"};
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct buf b = {0}, x = {0};
        buf_put_str(&x, BAD[i]);
        tar_pax(&b, &x);
        tar_file(&b, "f", "");
        expect_error(&b, ERR_CORRUPT, "pax header");
    }
    struct buf b = {0}, x = {0};
    char key[300] = "SCHILY.xattr.";
    memset(key + 13, 'k', 256);
    pax_record(&x, key, "v");
    tar_pax(&b, &x);
    tar_file(&b, "f", "");
    expect_error(&b, ERR_LIMIT, "255 bytes");
}

// Random access: contents that nobody wants are skipped, and offsets are those of the archive.
struct places {
    struct tar *t;
    u64 off[3];
    unsigned n;
};

static int note_place(void *arg, const struct tar_entry *e, struct err *err) {
    struct places *p = arg;
    (void)err;
    if (e->type == TAR_FILE && p->n < 3) p->off[p->n++] = tar_offset(p->t);
    return 0;
}

static void skipping(void **state) {
    (void)state;
    struct buf b = {0};
    char text[3000];
    memset(text, 'x', sizeof text);
    text[2999] = 0;
    tar_file(&b, "a", text);
    tar_file(&b, "b", "");
    tar_file(&b, "c", text);
    tar_finish(&b);
    struct places p = {0};
    p.t = tar_create(&(struct tar_sink){&p, note_place, NULL});
    size_t fed = 0;
    while (tar_offset(p.t) < b.len && !tar_done(p.t)) {
        tar_skip(p.t, tar_skippable(p.t));
        assert_int_equal(tar_feed(p.t, b.data + tar_offset(p.t), 512, NULL), 0);
        fed += 512;
    }
    assert_true(tar_done(p.t) && fed == 5 * 512);
    assert_true(p.off[0] == 512 && p.off[1] == 512 + 3072 + 512 && p.off[2] == p.off[1] + 512);
    tar_destroy(p.t);
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type), cmocka_unit_test(pax_headers), cmocka_unit_test(gnu_names),
        cmocka_unit_test(prefixes),   cmocka_unit_test(sparse_old),  cmocka_unit_test(sparse_pax),
        cmocka_unit_test(sparse_bad), cmocka_unit_test(numbers),     cmocka_unit_test(damaged),
        cmocka_unit_test(bad_pax),    cmocka_unit_test(skipping),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
