// Role: RISC-V PLIC (specification 1.0.0; register layout "sifive,plic-1.0.0" as Linux drives it).
// Depends on mem. All sources are level-triggered, so the gateways need no state of their own:
// a source is pending while its line is high and it has not been claimed. That also lets a request
// vanish when the device lowers its line before the claim, which saves spurious interrupts.
// There is one context because the boards have one hart and no M mode.
#include "hw/plic.h"

#include <stdlib.h>

#include "base/compiler.h"

enum {
    REG_PRIORITY = 0x0,
    REG_PENDING = 0x1000,
    REG_ENABLE = 0x2000,
    REG_THRESHOLD = 0x200000,
    REG_CLAIM = 0x200004,
    PRIORITY_MAX = 7,
};

struct plic {
    struct irq_line out;
    u64 level, claimed, enable; // bit = source; bit 0 is never set
    u8 priority[PLIC_SOURCES + 1];
    u8 threshold;
};

// The most urgent source worth an interrupt: highest priority, then lowest number; 0 for none.
static unsigned best_source(const struct plic *p) {
    unsigned best = 0, best_priority = p->threshold;
    for (u64 set = p->level & ~p->claimed & p->enable; set; set &= set - 1) {
        unsigned s = (unsigned)__builtin_ctzll(set);
        if (p->priority[s] > best_priority) best = s, best_priority = p->priority[s];
    }
    return best;
}

static void update(struct plic *p) { irq_set(&p->out, best_source(p) != 0); }

static u32 word_of(u64 bits, u64 index) {
    return index < 2 ? (u32)(bits >> (32 * index)) : 0; // 1024 sources have a word; most are absent
}

static u32 claim(struct plic *p) {
    unsigned s = best_source(p);
    if (s) p->claimed |= 1ull << s;
    update(p);
    return s;
}

static void complete(struct plic *p, u32 source) {
    if (source < 1 || source > PLIC_SOURCES) return;
    // PLIC 1.0.0, interrupt completion: an ID not enabled for the context is silently ignored.
    if (!(p->enable >> source & 1)) return;
    p->claimed &= ~(1ull << source);
    update(p);
}

static u64 plic_read(void *dev, u64 off, unsigned size) {
    struct plic *p = dev;
    if (size != 4 || off % 4) return 0;
    if (off < REG_PRIORITY + 4 * (PLIC_SOURCES + 1)) return p->priority[off / 4];
    if (off >= REG_PENDING && off < REG_PENDING + 0x80)
        return word_of(p->level & ~p->claimed, (off - REG_PENDING) / 4);
    if (off >= REG_ENABLE && off < REG_ENABLE + 0x80)
        return word_of(p->enable, (off - REG_ENABLE) / 4);
    if (off == REG_THRESHOLD) return p->threshold;
    if (off == REG_CLAIM) return claim(p);
    return 0;
}

static void plic_write(void *dev, u64 off, unsigned size, u64 val) {
    struct plic *p = dev;
    if (size != 4 || off % 4) return;
    if (off == REG_CLAIM) {
        complete(p, (u32)val);
        return;
    }
    if (off >= 4 && off < 4 * (PLIC_SOURCES + 1)) {
        p->priority[off / 4] = (u8)(val & PRIORITY_MAX);
    } else if (off >= REG_ENABLE && off < REG_ENABLE + 8) {
        unsigned shift = (unsigned)(off - REG_ENABLE) * 8;
        p->enable = (p->enable & ~(0xffffffffull << shift)) | (val & 0xffffffff) << shift;
        p->enable &= ~1ull;
    } else if (off == REG_THRESHOLD) {
        p->threshold = (u8)(val & PRIORITY_MAX);
    } else {
        return;
    }
    update(p);
}

const struct mmio_ops plic_mmio = {plic_read, plic_write};

void plic_set_source(void *arg, unsigned source, bool level) {
    struct plic *p = arg;
    if (source < 1 || source > PLIC_SOURCES) return;
    u64 bit = 1ull << source;
    if (!(p->level & bit) == !level) return;
    p->level ^= bit;
    update(p);
}

struct plic *plic_create(struct irq_line out) {
    struct plic *p = calloc(1, sizeof *p);
    if (p) p->out = out;
    return p;
}

void plic_destroy(struct plic *p) { free(p); }
