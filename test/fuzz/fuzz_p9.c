// A guest that sends anything: messages of any type with any body, in any number at a time, while
// the host of the remote back end answers in any order, fails, and its files change. The host
// aborts when it is asked for what could hurt a user's files.
//
// Input: actions. A byte below 0x60 begins a well-formed message of the type it chooses, its fields
// made of the bytes that follow, mostly small and from a few names so that they meet; one below
// 0xa0 a message whose body is taken raw, after its length[1]. Others: let the host answer, sleep,
// edit, remove, fail.
//
// A target is one program found by folder, so the host is included, not linked.
#include "test/p9/fake_host.c"

#include "p9/codec.h"
#include "p9/server.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

struct guest {
    struct p9_server *s;
    unsigned unanswered;
};

static void on_reply(void *arg, const u8 *msg, size_t len) {
    struct guest *g = arg;
    struct p9_msg m;
    NEVER(g->unanswered-- == 0);
    NEVER(len && p9_unpack(&m, msg, len) != P9_OK);
}

static void send_bytes(struct guest *g, u8 *msg, size_t len, size_t max_reply) {
    g->unanswered++;
    p9_server_submit(g->s, msg, len, max_reply, on_reply, g);
}

static void begin(struct guest *g) {
    u8 out[64];
    struct p9_msg v = {.type = P9_Tversion, .tag = P9_NOTAG};
    v.Tversion.msize = 8192;
    v.Tversion.version = (struct p9_str){"9P2000.L", 8};
    send_bytes(g, out, p9_pack(&v, out, sizeof out), 8192);
    struct p9_msg a = {.type = P9_Tattach, .tag = 1};
    a.Tattach.afid = P9_NOFID;
    send_bytes(g, out, p9_pack(&a, out, sizeof out), 8192);
}

static const u8 types[] = {
#define MSG(num, name, fields) num,
#include "p9/codec.def"
#undef MSG
};

static u64 number(struct rd *in) {
    u8 v = rd_u8(in);
    return v < 0xf0 ? v & 15 : v < 0xf8 ? rd_le32(in) : v < 0xfc ? rd_le64(in) : ~0ull;
}

static struct p9_str word(struct rd *in) {
    static const char *const words[] = {"a", "b", "d", "c", "..", ".", "", "a/b", "link", "user.x"};
    u8 v = rd_u8(in);
    if (v >= 0xf0) {
        u16 n = v & 15;
        const u8 *p = rd_bytes(in, n);
        return (struct p9_str){p ? (const char *)p : "", p ? n : 0};
    }
    const char *w = words[v % ARRAY_LEN(words)];
    return (struct p9_str){w, (u16)strlen(w)};
}

// A message of each kind from the input, after the table.
#define U8(f)  m->f = (u8)number(in);
#define U16(f) m->f = (u16)number(in);
#define U32(f) m->f = (u32)number(in);
#define U64(f) m->f = number(in);
#define STR(f) m->f = word(in);
#define DATA(f)                                                                                    \
    m->f.count = rd_u8(in) & 31;                                                                   \
    m->f.p = rd_bytes(in, m->f.count);                                                             \
    m->f.count = m->f.p ? m->f.count : 0;
#define QID(f) m->f.path = number(in);
#define NAMES(f)                                                                                   \
    m->f.n = rd_u8(in) & 3;                                                                        \
    for (unsigned i = 0; i < m->f.n; i++) m->f.s[i] = word(in);
#define QIDS(f) m->f.n = 0;
#define MSG(num, name, fields)                                                                     \
    static void fill_##name(struct rd *in, struct p9_##name *m) {                                  \
        (void)in, (void)m;                                                                         \
        fields                                                                                     \
    }
#include "p9/codec.def"
#undef MSG

static void fill(struct rd *in, struct p9_msg *m) {
    switch (m->type) {
#define MSG(num, name, fields)                                                                     \
    case num:                                                                                      \
        fill_##name(in, &m->name);                                                                 \
        break;
#include "p9/codec.def"
#undef MSG
    }
}

static void made_message(struct guest *g, struct rd *in, u8 action, u16 tag) {
    u8 msg[1024];
    struct p9_msg m = {.type = types[action % ARRAY_LEN(types)], .tag = tag};
    fill(in, &m);
    if (m.type == P9_Tversion) { // a session that goes on
        m.Tversion.msize = 8192;
        m.Tversion.version = (struct p9_str){"9P2000.L", 8};
    }
    if (m.type == P9_Tflush) m.Tflush.oldtag = (u16)(tag - 1 - m.Tflush.oldtag);
    send_bytes(g, msg, p9_pack(&m, msg, sizeof msg), 8192);
}

static void raw_message(struct guest *g, struct rd *in, u8 action, u16 tag) {
    u8 msg[7 + 255];
    size_t len = rd_u8(in);
    if (len > rd_left(in)) len = rd_left(in);
    put_le32(msg, (u32)(7 + len));
    msg[4] = types[action % ARRAY_LEN(types)];
    put_le16(msg + 5, tag);
    const u8 *body = rd_bytes(in, len);
    if (len) memcpy(msg + 7, body, len);
    send_bytes(g, msg, 7 + len, 300);
}

static void outside(struct fake_host *h, u8 action) {
    static const char *const names[] = {"a", "b", "d/a", "d/b"};
    const char *name = names[action & 3];
    struct fake_file *f;
    switch (action >> 2 & 15) {
    case 0:
        fake_edit_dir(h, "d");
        return;
    case 1:
        f = fake_find(h, name);
        if (parent_is_dir(h, name) && (!f || (f->type == REMOTE_FILE && !f->readonly)))
            fake_edit(h, name, "#!content", action & 1);
        return;
    case 2:
        fake_remove(h, name);
        return;
    case 3:
        fake_remove(h, "d");
        return;
    case 4:
        h->fail_percent = action & 1 ? 30 : 0;
        return;
    case 5:
        fake_sleep(h, action & 1 ? 100 : 5000);
        return;
    default:
        for (unsigned i = action & 7; i; i--) fake_pump(h);
    }
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size) {
    struct fake_host h;
    struct guest g = {0};
    struct rd in = rd_of(data, size);
    fake_init(&h, 99, NULL);
    h.races = true;
    g.s = p9_server_create(h.fs, 8192, NULL);
    NEVER(!g.s);
    // Raw, before a session: whatever it is, as one message.
    u8 raw[64];
    size_t len = size < sizeof raw ? size : sizeof raw;
    if (len) memcpy(raw, data, len);
    send_bytes(&g, raw, len, 100);
    begin(&g);
    for (unsigned i = 0; i < 20; i++) fake_pump(&h);
    for (u16 tag = 10; rd_left(&in); tag++) {
        u8 action = rd_u8(&in);
        if (action < 0x60)
            made_message(&g, &in, action, tag);
        else if (action < 0xa0)
            raw_message(&g, &in, action, tag);
        else
            outside(&h, action);
    }
    h.fail_percent = 0;
    if (size % 2) { // else destroyed with requests under way
        // What cannot be written (its directory is gone, the name is a directory) stays unwritten.
        for (unsigned i = 0; h.npending || h.timer_ns; i++) {
            NEVER(i > 20000);
            fake_pump(&h);
        }
        NEVER(g.unanswered || p9_server_pending(g.s));
    }
    p9_server_destroy(g.s);
    fake_end(&h);
    return 0;
}
