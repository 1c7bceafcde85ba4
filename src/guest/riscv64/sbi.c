// The firmware an S-mode guest expects, as it sees it through ecall (RISC-V SBI 2.0): BASE, TIME,
// IPI, RFENCE, HSM, SRST, DBCN and the legacy console, timer and shutdown calls. One hart, number
// 0.
//
// Calling convention: a7 extension, a6 function, a0..a5 arguments; a0 error, a1 value come back
// (legacy calls return in a0 only). Memory the guest names is bounded by RAM; addresses are
// physical.
#include "base/compiler.h"
#include "guest/riscv64/state.h"

enum {
    SBI_SUCCESS = 0,
    SBI_ERR_NOT_SUPPORTED = -2,
    SBI_ERR_INVALID_PARAM = -3,
    SBI_ERR_ALREADY_AVAILABLE = -6,
};

enum { DBCN_CHUNK = 4096 };     // bytes moved by one console call; the guest repeats for more
enum { RFENCE_PAGES_MAX = 64 }; // beyond it everything is flushed

struct sbi_ret {
    i64 error;
    u64 value;
};
static const struct sbi_ret not_supported = {SBI_ERR_NOT_SUPPORTED, 0};
static const struct sbi_ret done = {SBI_SUCCESS, 0};

// ---- hart masks (SBI 3.1): hart 0 is named by bit 0 of base 0, or by base -1 meaning all harts.
static struct sbi_ret check_harts(u64 mask, u64 base, bool *self) {
    *self = base == ~(u64)0 || (base == 0 && (mask & 1));
    bool valid = base == ~(u64)0 || (base == 0 && (mask & ~(u64)1) == 0) || mask == 0;
    return valid ? done : (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
}

static void fence_range(struct rv64_state *s, u64 start, u64 size, const u64 *asid) {
    u64 pages = size / GUEST_PAGE_SIZE + 1;
    if (size == ~(u64)0 || (start == 0 && size == 0) || pages > RFENCE_PAGES_MAX) {
        rv64_sfence(s, NULL, asid);
        return;
    }
    u64 last = start + (size ? size - 1 : 0);
    for (u64 va = start & ~(u64)(GUEST_PAGE_SIZE - 1);; va += GUEST_PAGE_SIZE) {
        rv64_sfence(s, &va, asid);
        if (last - va < GUEST_PAGE_SIZE) break;
    }
}

// ---- extensions: a function each, of the function number

static bool sbi_has(u64 ext);

static struct sbi_ret sbi_base(struct rv64_state *s, u64 fn) {
    switch (fn) {
    case 0:
        return (struct sbi_ret){0, 2u << 24}; // specification 2.0
    case 1:
        return (struct sbi_ret){0, 0x42455254}; // implementation, unregistered
    case 2:
        return (struct sbi_ret){0, 1}; // its version
    case 3:
        return (struct sbi_ret){0, sbi_has(s->x[10])}; // probe
    case 4:                                            // mvendorid, marchid, mimpid: not given
    case 5:
    case 6:
        return done;
    default:
        return not_supported;
    }
}

static struct sbi_ret sbi_time(struct rv64_state *s, u64 fn) {
    if (fn != 0) return not_supported;
    rv64_set_timer(s, s->x[10]);
    return done;
}

static struct sbi_ret sbi_ipi(struct rv64_state *s, u64 fn) {
    if (fn != 0) return not_supported;
    bool self;
    struct sbi_ret r = check_harts(s->x[10], s->x[11], &self);
    if (r.error == 0 && self) s->ssip = IRQ_BIT(IRQ_SSI);
    return r;
}

static struct sbi_ret sbi_rfence(struct rv64_state *s, u64 fn) {
    if (fn > 2) return not_supported; // the rest is for hypervisors
    bool self;
    struct sbi_ret r = check_harts(s->x[10], s->x[11], &self);
    if (r.error || !self) return r;
    if (fn == 0)
        guest_code_barrier(&s->g);
    else
        fence_range(s, s->x[12], s->x[13], fn == 2 ? &s->x[14] : NULL);
    return done;
}

static struct sbi_ret sbi_hsm(struct rv64_state *s, u64 fn) {
    u64 hart = s->x[10];
    switch (fn) {
    case 0:
        return (struct sbi_ret){hart ? SBI_ERR_INVALID_PARAM : SBI_ERR_ALREADY_AVAILABLE, 0};
    case 1: // the only hart stops: nothing can start it again
        s->g.halted = true;
        s->g.stop = true;
        return done;
    case 2:
        return hart ? (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0} : done; // started
    case 3:
        if ((u32)hart != 0) return not_supported; // default retentive suspend only
        s->g.idle = s->g.stop = true;
        return done;
    default:
        return not_supported;
    }
}

static void shutdown(struct rv64_state *s, int type, bool failed) {
    const struct cpu_board *b = s->g.board;
    if (b->shutdown) b->shutdown(b->arg, type, failed);
    s->g.stop = true;
}

static struct sbi_ret sbi_srst(struct rv64_state *s, u64 fn) {
    if (fn != 0) return not_supported;
    u64 type = (u32)s->x[10], reason = (u32)s->x[11];
    if (type > 2 || (reason > 1 && reason < 0xe0000000u))
        return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
    shutdown(s, type == 0 ? 0 : 1, reason == 1);
    return done;
}

static void console_write(struct rv64_state *s, const u8 *p, size_t n) {
    const struct cpu_board *b = s->g.board;
    if (b->console_write) b->console_write(b->arg, p, n);
}

static int console_getchar(struct rv64_state *s) {
    const struct cpu_board *b = s->g.board;
    return b->console_read ? b->console_read(b->arg) : -1;
}

static struct sbi_ret dbcn_move(struct rv64_state *s, bool write) {
    u64 len = s->x[10], addr = s->x[11];
    u8 *p = bus_ram_ptr(s->g.bus, addr, len);
    if (s->x[12] != 0 || (!p && len)) return (struct sbi_ret){SBI_ERR_INVALID_PARAM, 0};
    size_t n = len < DBCN_CHUNK ? (size_t)len : DBCN_CHUNK, got = 0;
    if (write) {
        if (n) console_write(s, p, n);
        return (struct sbi_ret){0, n};
    }
    for (int c; got < n && (c = console_getchar(s)) >= 0; got++) p[got] = (u8)c;
    if (got) bus_ram_written(s->g.bus, addr, got);
    return (struct sbi_ret){0, got};
}

static struct sbi_ret sbi_dbcn(struct rv64_state *s, u64 fn) {
    if (fn == 0 || fn == 1) return dbcn_move(s, fn == 0);
    if (fn != 2) return not_supported;
    u8 c = (u8)s->x[10];
    console_write(s, &c, 1);
    return done;
}

// Legacy calls: the function number is not used; what comes back is a0 alone.
static u64 sbi_legacy(struct rv64_state *s, u64 ext) {
    u8 c = (u8)s->x[10];
    u64 size = s->x[12], asid = s->x[13];
    switch (ext) {
    case 0:
        rv64_set_timer(s, s->x[10]);
        break;
    case 1:
        console_write(s, &c, 1);
        break;
    case 2:
        return (u64)(i64)console_getchar(s);
    case 3:
        s->ssip = 0;
        break;
    case 4:
        s->ssip = IRQ_BIT(IRQ_SSI);
        break; // to all harts: the mask can only name this one
    case 5:
        guest_code_barrier(&s->g);
        break;
    case 6:
        fence_range(s, s->x[11], size, NULL);
        break;
    case 7:
        fence_range(s, s->x[11], size, &asid);
        break;
    case 8:
        shutdown(s, 0, false);
        break;
    default:
        break;
    }
    return 0;
}

static const struct {
    u32 ext;
    struct sbi_ret (*call)(struct rv64_state *s, u64 fn);
} extensions[] = {
    {0x10, sbi_base},    {0x54494d45, sbi_time}, {0x735049, sbi_ipi},    {0x52464e43, sbi_rfence},
    {0x48534d, sbi_hsm}, {0x53525354, sbi_srst}, {0x4442434e, sbi_dbcn},
};

static bool sbi_has(u64 ext) {
    if (ext <= 8) return true;
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
        if (extensions[i].ext == ext) return true;
    return false;
}

static struct sbi_ret sbi_dispatch(struct rv64_state *s, u64 ext, u64 fn) {
    for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
        if (extensions[i].ext == ext) return extensions[i].call(s, fn);
    return not_supported;
}

void rv64_sbi_call(struct rv64_state *s) {
    u64 ext = s->x[17];
    if (ext <= 8) {
        s->x[10] = sbi_legacy(s, ext);
        return;
    }
    struct sbi_ret r = sbi_dispatch(s, ext, s->x[16]);
    s->x[10] = (u64)r.error;
    s->x[11] = r.value;
}
