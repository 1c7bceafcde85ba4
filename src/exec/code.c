// The code cache: blocks decoded once a physical page and mode, found by physical address, linked
// within their page. Depends on lower.c and the guest's lift; forget.c is the other half.
//
// Invariant: links go only between blocks of one physical page, so they hold under every mapping.
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"

static u32 hash_of(u32 ppn, u16 start, u32 mode) {
    u64 k = ((u64)ppn << 12 | start) << JUMP_MODE_BITS | mode;
    return (u32)(k * 0x9e3779b97f4a7c15u >> (64 - HASH_BITS));
}

static u32 loose_hash(const u8 bytes[LOOSE_BYTES], u16 start, u32 mode) {
    u64 k, k2;
    memcpy(&k, bytes, 8);
    memcpy(&k2, bytes + 8, 8);
    k ^= k2 * 0x9e3779b97f4a7c15u;
    return hash_of((u32)(k ^ k >> 32) * 2654435761u, start, mode);
}

void code_mark(struct cpu *c, u32 ppn, u32 off, u32 len) {
    u64 *bytes = c->pages[ppn]->bytes;
    for (u32 end = off + len; off < end;) {
        u32 n = 64 - off % 64;
        if (n > end - off) n = end - off;
        bytes[off / 64] |= ~(u64)0 >> (64 - n) << off % 64;
        off += n;
    }
}

void code_unhash(struct cpu *c, u32 index) {
    const struct block *k = block_of(c, index);
    u32 *at = &c->hash[k->ppn == PPN_LOOSE ? loose_hash(k->code, k->start, k->mode)
                                           : hash_of(k->ppn, k->start, k->mode)];
    while (*at && *at != index) at = &block_of(c, *at)->hash_next;
    assert(*at && "a live block is in the hash");
    *at = k->hash_next;
}

u8 *code_fetch(struct cpu *c, gva pc, gva fault_pc) {
    bool fault;
    u64 cause = 0;
    gpa pa;
    u8 *page = mem_page(c, pc, ACCESS_EXEC, &pa, &fault, &cause);
    if (page) return page + pc % GUEST_PAGE_SIZE;
    if (!fault) cause = c->arch->bus_fault(ACCESS_EXEC);
    c->s->pc = fault_pc;
    guest_raise(c->s, cause, pc);
    return NULL;
}

static bool own_page(struct cpu *c, u32 ppn) {
    if (c->pages[ppn]) return true;
    c->pages[ppn] = calloc(1, sizeof *c->pages[ppn]);
    if (!c->pages[ppn]) return false;
    c->pages[ppn]->written = GUEST_PAGE_SIZE; // near nothing
    tlb_set_slow(&c->tlb, ppn,
                 bus_ram_ptr(c->bus, bus_ram_base(c->bus) + ((u64)ppn << GUEST_PAGE_SHIFT), 1));
    return true;
}

// Watches `len` code bytes at host address p.
static void watch(struct cpu *c, const u8 *p, u32 len) {
    u64 off = (u64)(p - bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1));
    u32 ppn = (u32)(off >> GUEST_PAGE_SHIFT);
    if (own_page(c, ppn)) code_mark(c, ppn, (u32)(off % GUEST_PAGE_SIZE), len);
}

// Lifts one instruction that crosses from this page into the next.
static int lift_straddler(struct cpu *c, gva pc, u32 mode, const u8 *code, unsigned avail,
                          u8 bytes[LOOSE_BYTES]) {
    u8 both[32];
    assert(c->arch->max_insn <= 15 && avail < 16);
    memcpy(both, code, avail);
    const u8 *more = code_fetch(c, pc + avail, pc);
    if (!more) return 0;
    memcpy(both + avail, more, 16);
    ir_begin(&c->ir, (i32)(pc % GUEST_PAGE_SIZE), c->helper_effects, c->arch->nhelpers);
    i32 rel = (i32)(pc % GUEST_PAGE_SIZE);
    unsigned n = c->arch->lift(&c->ir, both, avail + 16, rel, mode);
    assert(n && "an instruction longer than max_insn");
    if (!c->ir.ended) ir_jump(&c->ir, rel + (i32)n);
    watch(c, code, avail);
    watch(c, more, n > avail ? n - avail : 1);
    memset(bytes, 0, LOOSE_BYTES);
    memcpy(bytes, both, n);
    return 1;
}

// Lifts from `rel` of the page at `page`. False: already the first instruction crosses into the
// next.
bool code_lift_in_page(struct cpu *c, const u8 *page, i32 rel, u32 mode, unsigned max_insns) {
    struct ir_block *b = &c->ir;
    ir_begin(b, rel, c->helper_effects, c->arch->nhelpers);
    while (!b->ended) {
        unsigned avail = GUEST_PAGE_SIZE - (unsigned)rel;
        if (!avail || b->ninsns >= max_insns || b->n > IR_BLOCK_CAP - IR_BLOCK_ROOM) {
            ir_jump(b, rel);
            break;
        }
        unsigned n = c->arch->lift(b, page + rel, avail < 16 ? avail : 16, rel, mode);
        if (n == LIFT_SHORT) {
            if (b->ninsns == 0) return false;
            ir_jump(b, rel);
            break;
        }
        rel += (i32)n;
    }
    return true;
}

int code_lift(struct cpu *c, gva pc, u32 mode, unsigned max_insns, u32 *ppn,
              u8 bytes[LOOSE_BYTES]) {
    u8 *code = code_fetch(c, pc, pc);
    if (!code) return 0;
    u8 *ram = bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1);
    *ppn = (u32)((u64)(code - ram) >> GUEST_PAGE_SHIFT);
    i32 rel = (i32)(pc % GUEST_PAGE_SIZE);
    if (code_lift_in_page(c, code - rel, rel, mode, max_insns)) return 1;
    *ppn = PPN_LOOSE;
    return lift_straddler(c, pc, mode, code, GUEST_PAGE_SIZE - (unsigned)rel, bytes);
}

u32 code_block_bytes(const struct ir_block *b) {
    u32 i = b->n - 1;
    while (b->ops[i].op != IR_INSN) i--;
    return (u32)b->ops[i].imm + b->ops[i].aux - (u32)b->start;
}

// Lifts and lowers the block at pc and files it.
static u32 decode(struct cpu *c, gva pc, u32 mode) {
    code_make_room(c);
    u32 ppn;
    u8 bytes[LOOSE_BYTES] = {0};
    unsigned max = c->set.max_block_insns, n = 0;
    u32 index = c->arena_used + HDR_UOPS;
    while (!n) {
        if (!code_lift(c, pc, mode, max, &ppn, bytes)) return 0;
        if (unlikely(c->set.dump & (DUMP_GUEST | DUMP_IR))) dump_block(c, pc, &c->ir);
        n = lower_block(&c->ir, &c->arena[index], BLOCK_UOPS, ppn == PPN_LOOSE ? 0 : index,
                        c->arch->lazy_flags);
        assert((n || max > 1) && "one instruction does not fit a block");
        if (!n) max = max > 8 ? max / 4 : 1;
    }
    u16 start = (u16)(pc % GUEST_PAGE_SIZE);
    struct block *k = block_of(c, index);
    *k = (struct block){.ppn = ppn, .start = start, .mode = (u8)mode, .uops = (u16)n};
    u32 *head;
    if (ppn == PPN_LOOSE) {
        memcpy(k->code, bytes, LOOSE_BYTES);
        head = &c->hash[loose_hash(bytes, start, mode)];
    } else {
        if (!own_page(c, ppn)) return 0;
        k->bytes = code_block_bytes(&c->ir);
        code_mark(c, ppn, start, k->bytes);
        k->page_next = c->pages[ppn]->blocks;
        c->pages[ppn]->blocks = index;
        head = &c->hash[hash_of(ppn, start, mode)];
    }
    k->hash_next = *head;
    *head = index;
    if (c->jit && ppn != PPN_LOOSE) jit_decoded(c, index);
    c->arena_used = index + n;
    if (unlikely(c->set.dump & DUMP_UOPS)) dump_uops(c, index, n);
    c->stats.blocks_decoded++;
    c->stats.uops += n;
    return index;
}

u32 code_find(struct cpu *c, u32 ppn, u16 start, u32 mode) {
    // The first byte of a block is code: most often the answer is no, and that is nearer.
    const struct code_page *p = c->pages[ppn];
    if (!p || !(p->bytes[start / 64] >> start % 64 & 1)) return 0;
    for (u32 i = c->hash[hash_of(ppn, start, mode)]; i; i = block_of(c, i)->hash_next) {
        const struct block *k = block_of(c, i);
        if (k->ppn == ppn && k->start == start && k->mode == mode) return i;
    }
    return 0;
}

// An instruction that crosses pages is found by its bytes: it belongs to no page, only its bytes
// are watched in both, so that a change forgets the jumps to it.
static u32 loose_at(struct cpu *c, gva pc, u32 mode, const u8 *code, unsigned avail) {
    u8 bytes[LOOSE_BYTES] = {0};
    if (lift_straddler(c, pc, mode, code, avail, bytes) == 0) return 0;
    u16 start = (u16)(pc % GUEST_PAGE_SIZE);
    for (u32 i = c->hash[loose_hash(bytes, start, mode)]; i; i = block_of(c, i)->hash_next) {
        const struct block *k = block_of(c, i);
        if (k->ppn == PPN_LOOSE && k->start == start && k->mode == mode &&
            memcmp(k->code, bytes, LOOSE_BYTES) == 0)
            return i;
    }
    return decode(c, pc, mode);
}

u32 code_make(struct cpu *c, gva pc, u32 mode, const u8 *code) {
    u16 start = (u16)(pc % GUEST_PAGE_SIZE);
    unsigned avail = GUEST_PAGE_SIZE - start;
    if (avail < c->arch->max_insn) {
        // Only here can the first instruction cross; ask the lifter by the bytes there are.
        ir_begin(&c->ir, start, c->helper_effects, c->arch->nhelpers);
        if (c->arch->lift(&c->ir, code, avail, start, mode) == LIFT_SHORT)
            return loose_at(c, pc, mode, code, avail);
    }
    return decode(c, pc, mode);
}

u32 code_at(struct cpu *c, gva pc) {
    u8 *code = code_fetch(c, pc, pc);
    if (!code) return 0;
    u8 *ram = bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1);
    u32 ppn = (u32)((u64)(code - ram) >> GUEST_PAGE_SHIFT);
    u32 mode = c->arch->code_mode(c->s);
    u32 i = code_find(c, ppn, (u16)(pc % GUEST_PAGE_SIZE), mode);
    return i ? i : code_make(c, pc, mode, code);
}
