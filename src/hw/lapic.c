// Role: local APIC (Intel SDM 3A, "Advanced programmable interrupt controller") of the only CPU,
// with ID 0, and its time-stamp counter (SDM 3B, "Time-stamp counter"). Depends on mem. One set of
// registers, numbered as in x2APIC mode (MSR - 0x800, MMIO offset / 16), serves both modes. The
// timer is a point in time, not a count: `expiry` in ns. Its interrupt is raised when someone asks
// (lapic_pending), which the CPU does before it goes idle and between runs of code.
// Not modelled: relocating the registers, performance and thermal interrupts (their entries are
// only stored), ExtINT, INIT and start-up messages (there is no other CPU to send or receive them).
#include "hw/lapic.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

enum {
    ID = 0x02,
    VERSION = 0x03,
    TPR = 0x08,
    PPR = 0x0a,
    EOI = 0x0b,
    LDR = 0x0d,
    DFR = 0x0e,
    SVR = 0x0f,
    ISR = 0x10, // 8 registers each
    TMR = 0x18,
    IRR = 0x20,
    ESR = 0x28,
    ICR = 0x30,
    ICR_HIGH = 0x31, // xAPIC
    LVT_TIMER = 0x32,
    LVT_ERROR = 0x37,
    INITIAL_COUNT = 0x38,
    CURRENT_COUNT = 0x39,
    DIVIDE = 0x3e,
    SELF_IPI = 0x3f, // x2APIC
};

enum { LVTS = LVT_ERROR - LVT_TIMER + 1 };
enum { LVT_MASKED = 1 << 16, LVT_PERIODIC = 1 << 17, LVT_DEADLINE = 2 << 17 };
#define LVT_BITS       0x1a7ffu // vector, delivery mode, polarity, trigger, mask
#define LVT_TIMER_BITS 0x700ffu
enum { SVR_ENABLE = 1 << 8, SVR_BITS = 0x3ff };
enum { ESR_SEND_VECTOR = 1 << 5, ESR_RECEIVE_VECTOR = 1 << 6, ESR_REGISTER = 1 << 7 };
#define BASE_BSP    (1ull << 8)
#define BASE_X2APIC (1ull << 10)
#define BASE_ENABLE (1ull << 11)
#define NEVER       (~(u64)0)

struct lapic {
    struct lapic_settings s;
    u64 base; // IA32_APIC_BASE
    u32 tpr, ldr, dfr, svr, esr, esr_next, icr_low, icr_high;
    u32 isr[8], tmr[8], irr[8];
    u32 lvt[LVTS];
    u32 initial_count, divide_config;
    u64 expiry; // NEVER: not running
    u64 deadline, tsc_adjust;
};

static bool is_x2apic(const struct lapic *l) { return l->base & BASE_X2APIC; }
bool lapic_enabled(const struct lapic *l) { return l->base & BASE_ENABLE; }
static u64 now(const struct lapic *l) { return l->s.now(l->s.arg); }
u64 lapic_tsc(const struct lapic *l) { return now(l) + l->tsc_adjust; }
static u32 *timer_lvt(struct lapic *l) { return &l->lvt[0]; }

// Sets of 256 vectors.

static void set_bit(u32 set[8], u8 v) { set[v >> 5] |= 1u << (v & 31); }
static void clear_bit(u32 set[8], u8 v) { set[v >> 5] &= ~(1u << (v & 31)); }
static bool has_bit(const u32 set[8], u8 v) { return set[v >> 5] >> (v & 31) & 1; }

static int highest(const u32 set[8]) {
    for (int i = 7; i >= 0; i--)
        if (set[i]) return i * 32 + 31 - __builtin_clz(set[i]);
    return -1;
}

// Priorities and delivery.

static u32 processor_priority(const struct lapic *l) {
    int v = highest(l->isr);
    u32 in_service = v < 0 ? 0 : (u32)v & 0xf0;
    return (l->tpr & 0xf0) >= in_service ? l->tpr : in_service;
}

static int deliverable(const struct lapic *l) {
    int v = highest(l->irr);
    return v >= 0 && (u32)(v & 0xf0) > (processor_priority(l) & 0xf0) ? v : -1;
}

static void announce(struct lapic *l) {
    if (deliverable(l) >= 0) l->s.changed(l->s.arg);
}

static void request(struct lapic *l, u8 vector, bool level) {
    set_bit(l->irr, vector);
    (level ? set_bit : clear_bit)(l->tmr, vector);
    announce(l);
}

static void error(struct lapic *l, u32 what) {
    l->esr_next |= what;
    u32 e = l->lvt[LVT_ERROR - LVT_TIMER];
    if (!(e & LVT_MASKED) && (e & 0xff) >= 16) request(l, e & 0xff, false);
}

bool lapic_deliver(struct lapic *l, unsigned mode, u8 vector, bool level) {
    if (!lapic_enabled(l)) return false;
    if (mode == LAPIC_NMI) {
        l->s.nmi(l->s.arg);
        return true;
    }
    if ((mode != LAPIC_FIXED && mode != LAPIC_LOWEST) || !(l->svr & SVR_ENABLE)) return false;
    if (vector < 16) {
        error(l, ESR_RECEIVE_VECTOR);
        return false;
    }
    request(l, vector, level);
    return true;
}

// x2APIC's logical ID is made from the ID: cluster 0, bit 0. xAPIC has a flat and a cluster model.
bool lapic_matches(const struct lapic *l, u32 dest, bool logical) {
    if (!logical) return dest == 0 || dest == 0xff || dest == 0xffffffff;
    if (is_x2apic(l)) return dest == 0xffffffff || (dest >> 16 == 0 && (dest & 1));
    u32 id = l->ldr >> 24;
    if (dest == 0xff) return true;
    if (l->dfr >> 28 == 0xf) return dest & id & 0xff;
    return (dest >> 4 & 0xf) == id >> 4 && (dest & id & 0xf);
}

int lapic_ack(struct lapic *l) {
    int v = deliverable(l);
    if (v < 0) return -1;
    clear_bit(l->irr, (u8)v);
    set_bit(l->isr, (u8)v);
    return v;
}

static void end_of_interrupt(struct lapic *l) {
    int v = highest(l->isr);
    if (v < 0) return;
    clear_bit(l->isr, (u8)v);
    if (has_bit(l->tmr, (u8)v)) l->s.eoi(l->s.arg, (u8)v);
    announce(l);
}

static void send(struct lapic *l, u32 low, u32 dest) {
    enum { NO_SHORTHAND, SELF, ALL, OTHERS };
    unsigned shorthand = low >> 18 & 3, mode = low >> 8 & 7;
    if (mode <= LAPIC_LOWEST && (low & 0xff) < 16) {
        error(l, ESR_SEND_VECTOR);
        return;
    }
    if (shorthand == OTHERS) return;
    if (shorthand == NO_SHORTHAND && !lapic_matches(l, dest, low >> 11 & 1)) return;
    lapic_deliver(l, mode, low & 0xff, false); // level-triggered messages are treated as edges
}

// The timer.

static u64 divider(const struct lapic *l) {
    u32 code = (l->divide_config & 3) | (l->divide_config >> 1 & 4);
    return 1u << ((code + 1) & 7);
}

static u32 timer_mode(const struct lapic *l) { return l->lvt[0] & (LVT_PERIODIC | LVT_DEADLINE); }
static u64 period(const struct lapic *l) { return l->initial_count * divider(l); }

static u64 after(u64 t, u64 delta) { return delta < NEVER - t ? t + delta : NEVER - 1; }

static u32 current_count(const struct lapic *l) {
    u64 t = now(l);
    if (timer_mode(l) == LVT_DEADLINE || l->expiry == NEVER) return 0;
    if (l->expiry > t) return (u32)((l->expiry - t + divider(l) - 1) / divider(l));
    if (timer_mode(l) != LVT_PERIODIC) return 0;
    return (u32)((period(l) - (t - l->expiry) % period(l)) / divider(l));
}

static void start_count(struct lapic *l, u32 count) {
    l->initial_count = count;
    l->expiry = count ? after(now(l), period(l)) : NEVER;
}

static void set_divide(struct lapic *l, u32 val) {
    u32 left = current_count(l);
    l->divide_config = val & 0xb;
    if (left) l->expiry = after(now(l), left * divider(l));
}

static void set_deadline(struct lapic *l, u64 deadline) {
    u64 t = now(l), tsc = t + l->tsc_adjust;
    l->deadline = deadline;
    l->expiry = !deadline ? NEVER : deadline > tsc ? after(t, deadline - tsc) : t;
    if (l->expiry == t) lapic_pending(l);
}

static void set_timer_lvt(struct lapic *l, u32 val) {
    u32 before = timer_mode(l);
    *timer_lvt(l) = val;
    // Between deadlines and counts the timer is disarmed; between the two kinds of counts it runs
    // on.
    if ((before ^ timer_mode(l)) & LVT_DEADLINE) {
        l->expiry = NEVER;
        l->deadline = 0;
    }
}

static void set_tsc_adjust(struct lapic *l, u64 adjust) {
    l->tsc_adjust = adjust;
    if (timer_mode(l) == LVT_DEADLINE && l->deadline) set_deadline(l, l->deadline);
}

static void run_timer(struct lapic *l) {
    if (l->expiry == NEVER) return;
    u64 t = now(l);
    if (t < l->expiry) return;
    if (timer_mode(l) == LVT_PERIODIC) {
        l->expiry = after(t, period(l) - (t - l->expiry) % period(l)); // ticks missed are one
    } else {
        l->expiry = NEVER;
        l->deadline = 0;
    }
    u32 e = *timer_lvt(l);
    if (!(e & LVT_MASKED)) lapic_deliver(l, LAPIC_FIXED, e & 0xff, false);
}

bool lapic_pending(struct lapic *l) {
    run_timer(l);
    return deliverable(l) >= 0;
}

bool lapic_ready(const struct lapic *l) { return deliverable(l) >= 0; }

u64 lapic_next_timer(const struct lapic *l) { return l->expiry; }

// Registers.

static void set_tpr(struct lapic *l, u32 val) {
    l->tpr = val & 0xff;
    announce(l);
}

static void set_svr(struct lapic *l, u32 val) {
    l->svr = val & SVR_BITS;
    if (l->svr & SVR_ENABLE) return;
    for (unsigned i = 0; i < LVTS; i++) l->lvt[i] |= LVT_MASKED;
}

static void set_lvt(struct lapic *l, unsigned reg, u32 val) {
    val &= reg == LVT_TIMER ? LVT_TIMER_BITS : LVT_BITS;
    if (!(l->svr & SVR_ENABLE)) val |= LVT_MASKED;
    if (reg == LVT_TIMER)
        set_timer_lvt(l, val);
    else
        l->lvt[reg - LVT_TIMER] = val;
}

static void reset_registers(struct lapic *l) {
    l->tpr = l->ldr = l->esr = l->esr_next = l->icr_low = l->icr_high = 0;
    l->dfr = ~0u;
    l->svr = 0xff;
    memset(l->isr, 0, sizeof l->isr);
    memset(l->tmr, 0, sizeof l->tmr);
    memset(l->irr, 0, sizeof l->irr);
    for (unsigned i = 0; i < LVTS; i++) l->lvt[i] = LVT_MASKED;
    l->initial_count = l->divide_config = 0;
    l->expiry = NEVER;
    l->deadline = 0;
}

// The registers that both modes have. False: there is none, or it cannot be read.
static bool read_reg(struct lapic *l, unsigned reg, u32 *val) {
    if (reg >= ISR && reg < ESR) {
        const u32 *set = reg < TMR ? l->isr : reg < IRR ? l->tmr : l->irr;
        *val = set[reg & 7];
        return true;
    }
    if (reg >= LVT_TIMER && reg <= LVT_ERROR) {
        *val = l->lvt[reg - LVT_TIMER];
        return true;
    }
    switch (reg) {
    case ID:
        *val = 0;
        return true;
    case VERSION:
        *val = LAPIC_VERSION | (LVTS - 1) << 16;
        return true;
    case TPR:
        *val = l->tpr;
        return true;
    case PPR:
        *val = processor_priority(l);
        return true;
    case LDR:
        *val = is_x2apic(l) ? 1 : l->ldr;
        return true;
    case SVR:
        *val = l->svr;
        return true;
    case ESR:
        *val = l->esr;
        return true;
    case ICR:
        *val = l->icr_low;
        return true;
    case INITIAL_COUNT:
        *val = timer_mode(l) == LVT_DEADLINE ? 0 : l->initial_count;
        return true;
    case CURRENT_COUNT:
        *val = current_count(l);
        return true;
    case DIVIDE:
        *val = l->divide_config;
        return true;
    default:
        return false;
    }
}

static bool write_reg(struct lapic *l, unsigned reg, u32 val) {
    if (reg >= LVT_TIMER && reg <= LVT_ERROR) {
        set_lvt(l, reg, val);
        return true;
    }
    switch (reg) {
    case TPR:
        set_tpr(l, val);
        return true;
    case EOI:
        end_of_interrupt(l);
        return true;
    case SVR:
        set_svr(l, val);
        return true;
    case ESR: // a write brings what was noted since the last one into sight
        l->esr = l->esr_next;
        l->esr_next = 0;
        return true;
    case INITIAL_COUNT:
        if (timer_mode(l) != LVT_DEADLINE) start_count(l, val);
        return true;
    case DIVIDE:
        set_divide(l, val);
        return true;
    default:
        return false;
    }
}

// xAPIC: memory, 32 bits at each 16 bytes.

static u64 mmio_read(void *dev, u64 off, unsigned size) {
    struct lapic *l = dev;
    unsigned reg = (unsigned)(off >> 4);
    u32 val = 0;
    if (!lapic_enabled(l) || is_x2apic(l)) return ~(u64)0;
    if (size != 4 || off % 16) return 0;
    if (reg == DFR) return l->dfr;
    if (reg == ICR_HIGH) return l->icr_high;
    if (!read_reg(l, reg, &val)) error(l, ESR_REGISTER);
    return val;
}

static void mmio_write(void *dev, u64 off, unsigned size, u64 wide) {
    struct lapic *l = dev;
    unsigned reg = (unsigned)(off >> 4);
    u32 val = (u32)wide;
    if (!lapic_enabled(l) || is_x2apic(l) || size != 4 || off % 16) return;
    switch (reg) {
    case ID: // fixed
        return;
    case LDR:
        l->ldr = val & 0xff000000;
        return;
    case DFR:
        l->dfr = val | 0x0fffffff;
        return;
    case ICR_HIGH:
        l->icr_high = val & 0xff000000;
        return;
    case ICR:
        l->icr_low = val & 0xccfff;
        send(l, l->icr_low, l->icr_high >> 24);
        return;
    default:
        // What can only be read takes no writes, and that is no error.
        if (!write_reg(l, reg, val) && !read_reg(l, reg, &val)) error(l, ESR_REGISTER);
    }
}

const struct mmio_ops lapic_mmio = {mmio_read, mmio_write};

// x2APIC: MSRs. Reserved bits are checked.

static u32 writable_bits(unsigned reg) {
    if (reg == LVT_TIMER) return LVT_TIMER_BITS;
    if (reg > LVT_TIMER && reg <= LVT_ERROR) return LVT_BITS | 0x5000; // two read-only bits
    switch (reg) {
    case TPR:
    case SELF_IPI:
        return 0xff;
    case SVR:
        return SVR_BITS;
    case EOI:
    case ESR:
        return 0;
    case DIVIDE:
        return 0xb;
    default:
        return ~0u;
    }
}

static bool read_x2apic(struct lapic *l, unsigned reg, u64 *val) {
    u32 v;
    if (!read_reg(l, reg, &v)) return false;
    *val = reg == ICR ? (u64)l->icr_high << 32 | v : v;
    return true;
}

static bool write_x2apic(struct lapic *l, unsigned reg, u64 val) {
    if (reg == ICR) {
        if (val & 0xfff33000) return false;
        l->icr_low = (u32)val;
        l->icr_high = (u32)(val >> 32);
        send(l, l->icr_low, l->icr_high);
        return true;
    }
    if (val & ~(u64)writable_bits(reg)) return false;
    if (reg == SELF_IPI) {
        send(l, 1u << 18 | (u32)val, 0);
        return true;
    }
    return write_reg(l, reg, (u32)val);
}

// SDM 3A, "x2APIC state transitions": from x2APIC only off, and on only by way of xAPIC.
static bool write_base(struct lapic *l, u64 val) {
    if ((val & ~(BASE_BSP | BASE_X2APIC | BASE_ENABLE)) != LAPIC_BASE) return false;
    bool enable = val & BASE_ENABLE, x2apic = val & BASE_X2APIC;
    if (x2apic && !enable) return false;
    if (is_x2apic(l) && enable && !x2apic) return false;
    if (!lapic_enabled(l) && x2apic) return false;
    if (!enable) reset_registers(l);
    l->base = (val & (BASE_X2APIC | BASE_ENABLE)) | BASE_BSP | LAPIC_BASE;
    return true;
}

static bool has_x2apic_msr(const struct lapic *l, u32 msr) {
    if (msr < MSR_X2APIC_FIRST || msr > MSR_X2APIC_LAST) return false;
    return is_x2apic(l) || msr == MSR_X2APIC_TPR;
}

bool lapic_read_msr(struct lapic *l, u32 msr, u64 *val) {
    switch (msr) {
    case MSR_TSC:
        *val = lapic_tsc(l);
        return true;
    case MSR_APIC_BASE:
        *val = l->base;
        return true;
    case MSR_TSC_ADJUST:
        *val = l->tsc_adjust;
        return true;
    case MSR_TSC_DEADLINE:
        run_timer(l);
        *val = l->deadline;
        return true;
    default:
        if (!has_x2apic_msr(l, msr)) return false;
        return read_x2apic(l, msr - MSR_X2APIC_FIRST, val);
    }
}

bool lapic_write_msr(struct lapic *l, u32 msr, u64 val) {
    switch (msr) {
    case MSR_TSC:
        set_tsc_adjust(l, val - now(l));
        return true;
    case MSR_APIC_BASE:
        return write_base(l, val);
    case MSR_TSC_ADJUST:
        set_tsc_adjust(l, val);
        return true;
    case MSR_TSC_DEADLINE: // ignored in the other modes
        if (timer_mode(l) == LVT_DEADLINE) set_deadline(l, val);
        return true;
    default:
        if (!has_x2apic_msr(l, msr)) return false;
        return write_x2apic(l, msr - MSR_X2APIC_FIRST, val);
    }
}

struct lapic *lapic_create(const struct lapic_settings *s) {
    struct lapic *l = calloc(1, sizeof *l);
    if (!l) return NULL;
    l->s = *s;
    l->base = LAPIC_BASE | BASE_BSP | BASE_ENABLE;
    reset_registers(l);
    return l;
}

void lapic_destroy(struct lapic *l) { free(l); }
