// The server itself: session start, order of answers, flush, limits, locks, malformed messages. The
// back end is fs_remote with a host that can be held, so that requests stay under way as long as a
// test wants. A test is one program found by folder, so its helpers are included, not linked.
#include "test/p9/client.c"
#include "test/p9/fake_host.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "p9/lock.h"

#define OK(call)         assert_int_equal(call, 0)
#define FAILS(call, err) assert_int_equal(call, -(err))

enum { MAX_ANSWERS = 64 };

struct box {
    struct fake_host h;
    struct p9c c;
    // Answers in the order they came, of requests sent with `send_msg`.
    u16 tags[MAX_ANSWERS];
    u8 types[MAX_ANSWERS];
    u32 ecodes[MAX_ANSWERS];
    unsigned n;
};

static void box_open(struct box *b) {
    memset(b, 0, sizeof *b);
    fake_init(&b->h, 5, NULL);
    p9c_init(&b->c, b->h.fs, 16384, fake_pump, &b->h);
    fake_edit(&b->h, "f", "content", false);
    fake_edit(&b->h, "g", "other", false);
}

static void box_close(struct box *b) {
    p9c_end(&b->c);
    fake_end(&b->h);
}

static void note(void *arg, const u8 *msg, size_t len) {
    struct box *b = arg;
    struct p9_msg m;
    assert_true(b->n < MAX_ANSWERS);
    assert_int_equal(p9_unpack(&m, msg, len), P9_OK);
    b->tags[b->n] = m.tag;
    b->types[b->n] = m.type;
    b->ecodes[b->n++] = m.type == P9_Rlerror ? m.Rlerror.ecode : 0;
}

static void send_msg(struct box *b, u16 tag, struct p9_msg m) {
    u8 bytes[4096];
    m.tag = tag;
    size_t len = p9_pack(&m, bytes, sizeof bytes);
    assert_true(len);
    p9_server_submit(b->c.s, bytes, len, 16384, note, b);
}

static struct p9_msg walk_to(struct box *b, const char *name, u32 newfid) {
    struct p9_msg m = {.type = P9_Twalk, .Twalk = {.fid = b->c.root, .newfid = newfid}};
    m.Twalk.names = (struct p9_names){1, {{name, (u16)strlen(name)}}};
    return m;
}

static struct p9_msg flush_of(u16 tag) {
    return (struct p9_msg){.type = P9_Tflush, .Tflush.oldtag = tag};
}

static void answered(struct box *b, unsigned at, u16 tag, u8 type) {
    assert_true(at < b->n);
    assert_int_equal(b->tags[at], tag);
    assert_int_equal(b->types[at], type);
}

// --- session ---

static void version(void **state) {
    (void)state;
    struct box b;
    box_open(&b);
    struct p9_msg r, t = {.type = P9_Tversion, .Tversion = {1 << 20, {"9P2000.L", 8}, 0}};
    OK(p9c_rpc(&b.c, &t, &r));
    assert_int_equal(r.Rversion.msize, 16384); // never more than the transport takes
    t = (struct p9_msg){.type = P9_Tgetattr, .Tgetattr.fid = b.c.root};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EBADF); // a new session has no fids
    t = (struct p9_msg){.type = P9_Tversion, .Tversion = {8192, {"9P2000.u", 8}, 0}};
    OK(p9c_rpc(&b.c, &t, &r));
    assert_memory_equal(r.Rversion.version.p, "unknown", 7);
    t = (struct p9_msg){.type = P9_Tattach, .Tattach = {1, P9_NOFID, {"", 0}, {"", 0}, 0, 0}};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EPROTO); // not before a version is agreed
    t = (struct p9_msg){.type = P9_Tversion, .Tversion = {100, {"9P2000.L", 8}, 0}};
    OK(p9c_rpc(&b.c, &t, &r));
    assert_memory_equal(r.Rversion.version.p, "unknown", 7); // too small to work with
    t = (struct p9_msg){.type = P9_Tversion, .Tversion = {4096, {"9P2000.L", 8}, 0}};
    OK(p9c_rpc(&b.c, &t, &r));
    assert_int_equal(r.Rversion.msize, 4096);
    t = (struct p9_msg){.type = P9_Tauth, .Tauth = {1, {"", 0}, {"", 0}, 0, 0}};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EOPNOTSUPP);
    t = (struct p9_msg){.type = P9_Tattach, .Tattach = {1, 2, {"", 0}, {"", 0}, 0, 0}};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EBADF); // there is no afid
    box_close(&b);
}

static void version_waits(void **state) {
    (void)state;
    struct box b;
    box_open(&b);
    u32 fid;
    OK(p9c_open(&b.c, "f", LX_O_RDWR, 0, &fid));
    b.h.hold = true;
    fs_remote_changed(b.h.fs, "");
    struct p9_msg t = {.type = P9_Tversion, .Tversion = {8192, {"9P2000.L", 8}, 0}};
    send_msg(&b, 1, walk_to(&b, "g", 90)); // only reads: cut short
    send_msg(&b, 2,
             (struct p9_msg){.type = P9_Tunlinkat,
                             .Tunlinkat = {b.c.root, {"f", 1}, 0, 0}}); // waited for
    send_msg(&b, P9_NOTAG, t);
    send_msg(&b, 3, walk_to(&b, "g", 91)); // too early
    assert_int_equal(b.n, 2);
    answered(&b, 0, 1, P9_Rlerror);
    answered(&b, 1, 3, P9_Rlerror);
    b.h.hold = false;
    for (unsigned i = 0; i < 50; i++) fake_pump(&b.h);
    assert_int_equal(b.n, 4);
    answered(&b, 2, 2, P9_Runlinkat);
    answered(&b, 3, P9_NOTAG, P9_Rversion);
    assert_int_equal(p9_server_pending(b.c.s), 0);
    box_close(&b);
}

// --- flush ---

static void flush(void **state) {
    (void)state;
    struct box b;
    box_open(&b);
    send_msg(&b, 7, flush_of(6)); // of nothing
    answered(&b, 0, 7, P9_Rflush);
    b.h.hold = true;
    // What only reads is answered at once, before its Rflush; its fid is not made.
    send_msg(&b, 1, walk_to(&b, "f", 90));
    assert_int_equal(p9_server_pending(b.c.s), 1);
    send_msg(&b, 2, flush_of(1));
    answered(&b, 1, 1, P9_Rlerror);
    assert_int_equal(b.ecodes[1], LX_EINTR);
    answered(&b, 2, 2, P9_Rflush);
    // The tag may be used again though the host has not answered yet.
    send_msg(&b, 1, (struct p9_msg){.type = P9_Tclunk, .Tclunk.fid = 90});
    answered(&b, 3, 1, P9_Rlerror);
    assert_int_equal(b.ecodes[3], LX_EBADF);
    // What changes something is waited for, by both flushes and the flush of a flush, in order.
    send_msg(&b, 3, (struct p9_msg){.type = P9_Tmkdir, .Tmkdir = {b.c.root, {"d", 1}, 0755, 0, 0}});
    send_msg(&b, 4, flush_of(3));
    send_msg(&b, 5, flush_of(3));
    send_msg(&b, 6, flush_of(4));
    assert_int_equal(b.n, 4);
    assert_int_equal(p9_server_pending(b.c.s), 4);
    b.h.hold = false;
    for (unsigned i = 0; i < 50; i++) fake_pump(&b.h);
    assert_int_equal(b.n, 8);
    answered(&b, 4, 3, P9_Rmkdir);
    answered(&b, 5, 4, P9_Rflush);
    answered(&b, 6, 6, P9_Rflush);
    answered(&b, 7, 5, P9_Rflush);
    assert_int_equal(p9_server_pending(b.c.s), 0);
    box_close(&b);
}

static void destroyed_with_flush_waiting(void **state) {
    (void)state;
    struct box b;
    box_open(&b);
    b.h.hold = true;
    send_msg(&b, 3, (struct p9_msg){.type = P9_Tmkdir, .Tmkdir = {b.c.root, {"d", 1}, 0755, 0, 0}});
    send_msg(&b, 4, flush_of(3));
    send_msg(&b, 5, walk_to(&b, "f", 90));
    box_close(&b);
    assert_int_equal(b.n, 0);
}

static void clunked_under_way(void **state) {
    (void)state;
    struct box b;
    u32 fid;
    box_open(&b);
    OK(p9c_open(&b.c, "f", LX_O_RDWR, 0, &fid));
    fake_settle(&b.h);
    fs_remote_changed(b.h.fs, "f");
    b.h.hold = true;
    send_msg(&b, 1, (struct p9_msg){.type = P9_Tread, .Tread = {fid, 0, 100, 0}});
    send_msg(&b, 2, (struct p9_msg){.type = P9_Tclunk, .Tclunk.fid = fid});
    assert_int_equal(b.n, 1);
    answered(&b, 0, 2, P9_Rclunk);
    b.h.hold = false;
    for (unsigned i = 0; i < 50; i++) fake_pump(&b.h);
    answered(&b, 1, 1, P9_Rread);
    box_close(&b);
}

// --- limits and malformed messages ---

static void malformed(void **state) {
    (void)state;
    struct box b;
    struct p9_msg m, r;
    u8 bytes[64] = {0};
    box_open(&b);
    // No header: answered without a tag.
    assert_int_equal(p9c_raw(&b.c, bytes, 3, 4096), 11);
    OK(p9_unpack(&m, b.c.in, b.c.in_len));
    assert_true(m.type == P9_Rlerror && m.tag == P9_NOTAG);
    assert_int_equal(m.Rlerror.ecode, LX_EPROTO);
    // Types that no server takes: replies, Tlerror, unassigned.
    for (unsigned type = 0; type < 256; type++) {
        put_le32(bytes, 7);
        bytes[4] = (u8)type;
        put_le16(bytes + 5, 3);
        p9c_raw(&b.c, bytes, 7, 4096);
        OK(p9_unpack(&m, b.c.in, b.c.in_len));
        assert_int_equal(m.tag, 3);
        assert_int_equal(m.type, P9_Rlerror); // none is complete with no body
    }
    // A tag in use.
    b.h.hold = true;
    send_msg(&b, 1, walk_to(&b, "f", 90));
    send_msg(&b, 1, walk_to(&b, "g", 91));
    answered(&b, 0, 1, P9_Rlerror);
    b.h.hold = false;
    for (unsigned i = 0; i < 20; i++) fake_pump(&b.h);
    answered(&b, 1, 1, P9_Rwalk);
    // A transport with no room for the answer, or for any.
    struct p9_msg t = {.type = P9_Tgetattr, .tag = 5, .Tgetattr = {b.c.root, 0, 0}};
    size_t len = p9_pack(&t, bytes, sizeof bytes);
    assert_int_equal(p9c_raw(&b.c, bytes, len, 20), 11);
    assert_int_equal(p9c_raw(&b.c, bytes, len, 5), 0);
    // Longer than msize.
    u8 *big = calloc(1, 20000);
    put_le32(big, 20000);
    big[4] = P9_Twrite;
    put_le16(big + 5, 77);
    p9c_raw(&b.c, big, 20000, 4096);
    OK(p9_unpack(&m, b.c.in, b.c.in_len));
    assert_true(m.type == P9_Rlerror && m.tag == 77 && m.Rlerror.ecode == LX_EMSGSIZE);
    free(big);
    // Names with '/' and NUL, fids that are not, fids in use.
    t = (struct p9_msg){.type = P9_Tmkdir, .Tmkdir = {b.c.root, {"a/b", 3}, 0755, 0, 0}};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EINVAL);
    t = (struct p9_msg){.type = P9_Tmkdir, .Tmkdir = {b.c.root, {"a\0b", 3}, 0755, 0, 0}};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EINVAL);
    t = walk_to(&b, "..", 95);
    OK(p9c_rpc(&b.c, &t, &r));
    t = walk_to(&b, "..", 95);
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EBADF);
    t = walk_to(&b, "", 96);
    FAILS(p9c_rpc(&b.c, &t, &r), LX_ENOENT);
    t = walk_to(&b, "f", P9_NOFID);
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EBADF);
    t = (struct p9_msg){.type = P9_Tread, .Tread = {b.c.root, 0, 10, 0}};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EBADF); // not open
    t = (struct p9_msg){.type = P9_Tlopen, .Tlopen = {b.c.root, 3, 0}};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EINVAL);
    t = (struct p9_msg){.type = P9_Tlopen, .Tlopen = {b.c.root, 0, 0}};
    OK(p9c_rpc(&b.c, &t, &r));
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EBADF); // open already
    t = (struct p9_msg){.type = P9_Tread, .Tread = {b.c.root, 0, 10, 0}};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EISDIR);
    box_close(&b);
}

static void in_flight_limit(void **state) {
    (void)state;
    struct box b;
    u8 bytes[64];
    box_open(&b);
    b.h.hold = true;
    unsigned refused = 0;
    for (unsigned i = 0; i < 3000; i++) {
        struct p9_msg m = walk_to(&b, "f", 1000 + i);
        m.tag = (u16)i;
        size_t len = p9_pack(&m, bytes, sizeof bytes);
        b.n = 0;
        p9_server_submit(b.c.s, bytes, len, 4096, note, &b);
        refused += b.n && b.ecodes[0] == LX_EAGAIN;
    }
    assert_true(refused > 1000 && p9_server_pending(b.c.s) >= 1000);
    box_close(&b);
}

static void short_reads(void **state) {
    (void)state;
    struct box b;
    u32 fid;
    struct p9_msg m, r, t = {.type = P9_Tread};
    u8 bytes[64];
    box_open(&b);
    OK(p9c_open(&b.c, "f", LX_O_RDONLY, 0, &fid));
    t.tag = 1;
    t.Tread = (struct p9_Tread){fid, 0, 0xffffffff, 0}; // as much as fits
    OK(p9c_rpc(&b.c, &t, &r));
    assert_int_equal(r.Rread.data.count, 7);
    t.Tread.count = 7;
    size_t len = p9_pack(&t, bytes, sizeof bytes);
    p9c_raw(&b.c, bytes, len, 14);
    OK(p9_unpack(&m, b.c.in, b.c.in_len));
    assert_int_equal(m.Rread.data.count, 3); // what the transport has room for
    box_close(&b);
}

// --- locks ---

static void locks(void **state) {
    (void)state;
    struct box b;
    u32 x, y, z, other;
    box_open(&b);
    OK(p9c_open(&b.c, "f", LX_O_RDWR, 0, &x));
    OK(p9c_open(&b.c, "f", LX_O_RDWR, 0, &y));
    OK(p9c_open(&b.c, "f", LX_O_RDWR, 0, &z));
    OK(p9c_open(&b.c, "g", LX_O_RDWR, 0, &other));
    // Processes 1, 2 and 3 with a descriptor each.
    OK(p9c_lock(&b.c, x, P9_LOCK_WR, 0, 100, 1));
    assert_int_equal(p9c_lock(&b.c, y, P9_LOCK_RD, 50, 10, 2), P9_LOCK_BLOCKED);
    OK(p9c_lock(&b.c, other, P9_LOCK_WR, 50, 10, 2)); // another file
    OK(p9c_lock(&b.c, y, P9_LOCK_WR, 100, 0, 2));     // behind it, to the end
    assert_int_equal(p9c_lock(&b.c, x, P9_LOCK_RD, 1000000, 1, 1), P9_LOCK_BLOCKED);
    OK(p9c_lock(&b.c, x, P9_LOCK_UN, 40, 20, 1)); // a hole
    OK(p9c_lock(&b.c, y, P9_LOCK_RD, 45, 5, 2));
    OK(p9c_lock(&b.c, z, P9_LOCK_RD, 45, 5, 3)); // readers share
    assert_int_equal(p9c_lock(&b.c, x, P9_LOCK_WR, 40, 20, 1), P9_LOCK_BLOCKED);
    assert_int_equal(p9c_lock(&b.c, z, P9_LOCK_RD, 60, 1, 3), P9_LOCK_BLOCKED);
    assert_int_equal(p9c_lock(&b.c, z, P9_LOCK_RD, 39, 1, 3), P9_LOCK_BLOCKED);
    OK(p9c_lock(&b.c, x, P9_LOCK_RD, 0, 40, 1)); // write to read
    OK(p9c_lock(&b.c, z, P9_LOCK_RD, 39, 1, 3));
    // Who holds it?
    struct p9_msg r,
        t = {.type = P9_Tgetlock, .Tgetlock = {z, P9_LOCK_WR, 200, 10, 3, {"guest", 5}, 0}};
    OK(p9c_rpc(&b.c, &t, &r));
    assert_int_equal(r.Rgetlock.type, P9_LOCK_WR);
    assert_int_equal(r.Rgetlock.start, 100);
    assert_int_equal(r.Rgetlock.length, 0);
    assert_int_equal(r.Rgetlock.proc_id, 2);
    assert_memory_equal(r.Rgetlock.client_id.p, "guest", 5);
    t.Tgetlock.type = P9_LOCK_RD;
    t.Tgetlock.start = 45;
    t.Tgetlock.length = 5;
    OK(p9c_rpc(&b.c, &t, &r));
    assert_int_equal(r.Rgetlock.type, P9_LOCK_UN);
    // Closing lets go.
    OK(p9c_clunk(&b.c, y));
    OK(p9c_lock(&b.c, z, P9_LOCK_WR, 200, 0, 3));
    // flock(2): one open file, asked for by one process and let go by another.
    OK(p9c_lock(&b.c, other, P9_LOCK_UN, 0, 0, 4));
    OK(p9c_lock(&b.c, other, P9_LOCK_WR, 0, 0, 5));
    t.Tgetlock = (struct p9_Tgetlock){other, 9, 0, 0, 5, {"guest", 5}, 0};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EINVAL);
    t = (struct p9_msg){.type = P9_Tlock, .Tlock = {b.c.root, 0, 0, 0, 0, 1, {"", 0}, 0}};
    FAILS(p9c_rpc(&b.c, &t, &r), LX_EBADF);
    box_close(&b);
}

// Against a byte map with owners, at random.
static void locks_random(void **state) {
    (void)state;
    enum { BYTES = 40, OWNERS = 3 };
    u8 held[OWNERS][BYTES] = {0}; // 0 none, 1 read, 2 write
    struct p9_locks *l = p9_locks_create();
    u32 rng = 12345;
    int via[OWNERS];
    assert_non_null(l);
    for (unsigned step = 0; step < 20000; step++) {
        rng = rng * 1664525u + 1013904223u;
        unsigned who = (rng >> 8) % OWNERS, start = (rng >> 10) % BYTES;
        unsigned end = start + (rng >> 18) % (BYTES - start);
        u8 type = (u8)((rng >> 28) % 3);
        struct p9_lock_owner owner = {"c", 1, who, &via[who]};
        bool blocked = false;
        for (unsigned o = 0; o < OWNERS; o++)
            for (unsigned i = start; i <= end && o != who; i++)
                blocked |=
                    type != P9_LOCK_UN && held[o][i] && (type == P9_LOCK_WR || held[o][i] == 2);
        u8 got = p9_locks_set(l, 1, (struct p9_lock_range){type, start, end}, owner);
        assert_int_equal(got, blocked ? P9_LOCK_BLOCKED : P9_LOCK_SUCCESS);
        if (!blocked) memset(held[who] + start, type == P9_LOCK_UN ? 0 : type + 1, end - start + 1);
        assert_true(p9_locks_count(l) <= OWNERS * BYTES); // neighbours are joined
    }
    for (unsigned o = 0; o < OWNERS; o++) p9_locks_drop(l, 1, &via[o]);
    assert_int_equal(p9_locks_count(l), 0);
    p9_locks_destroy(l);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version),
        cmocka_unit_test(version_waits),
        cmocka_unit_test(flush),
        cmocka_unit_test(destroyed_with_flush_waiting),
        cmocka_unit_test(clunked_under_way),
        cmocka_unit_test(malformed),
        cmocka_unit_test(in_flight_limit),
        cmocka_unit_test(short_reads),
        cmocka_unit_test(locks),
        cmocka_unit_test(locks_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
