// Address translation: Sv39 and Sv48 (Privileged 4.3 to 4.5), its cache key and sfence.vma. Page
// tables are read through the bus. Accessed and dirty bits are set by the walk (as with Svadu).
//
// The key of a cached translation is everything the walk's answer depends on besides the tables,
// packed without loss so that equal keys mean equal translations:
//   bits 0..35 satp.PPN | 36..51 ASID | 52 S mode | 53 SUM | 54 MXR | 55..56 satp.MODE (0, 1, 2)
#include "base/buf.h"
#include "guest/riscv64/decode.h"
#include "guest/riscv64/state.h"

#define PTE_V        ((u64)1 << 0)
#define PTE_R        ((u64)1 << 1)
#define PTE_W        ((u64)1 << 2)
#define PTE_X        ((u64)1 << 3)
#define PTE_U        ((u64)1 << 4)
#define PTE_G        ((u64)1 << 5)
#define PTE_A        ((u64)1 << 6)
#define PTE_D        ((u64)1 << 7)
#define PTE_RESERVED ((u64)0x3ff << 54) // without Svnapot and Svpbmt these are all reserved
#define PTE_PPN(p)   ((p) >> 10 & (((u64)1 << 44) - 1))

#define KEY_ASID_SHIFT SATP_PPN_BITS
#define KEY_S          ((u64)1 << 52)
#define KEY_SUM        ((u64)1 << 53)
#define KEY_MXR        ((u64)1 << 54)
#define KEY_MODE_SHIFT 55
#define KEY_ASID_MASK  ((u64)0xffff << KEY_ASID_SHIFT)
static_assert(RV64_TLB_SPACE == (KEY_ASID_MASK | (((u64)1 << SATP_PPN_BITS) - 1)), "PPN and ASID");

u64 rv64_tlb_key(const struct guest_state *g) {
    const struct rv64_state *s = rv64_const(g);
    unsigned mode = SATP_MODE(s->satp);
    if (mode == SATP_BARE) return 0; // privilege does not matter then
    u64 key = SATP_PPN(s->satp) | SATP_ASID(s->satp) << KEY_ASID_SHIFT |
              (u64)(mode - SATP_SV39 + 1) << KEY_MODE_SHIFT;
    if (s->sstatus & SSTATUS_MXR) key |= KEY_MXR;
    if (s->priv != PRIV_S) return key;
    return key | KEY_S | (s->sstatus & SSTATUS_SUM ? KEY_SUM : 0);
}

static u64 page_fault(enum guest_access access) {
    static const u8 cause[] = {EXC_LOAD_PAGE, EXC_STORE_PAGE, EXC_INSN_PAGE};
    return cause[access];
}

u64 rv64_bus_fault(enum guest_access access) {
    static const u8 cause[] = {EXC_LOAD_ACCESS, EXC_STORE_ACCESS, EXC_INSN_ACCESS};
    return cause[access];
}

// What a leaf allows in the present context, apart from the dirty bit.
static void permissions(const struct rv64_state *s, u64 pte, struct guest_translation *out) {
    bool user_page = pte & PTE_U, as_s = s->priv == PRIV_S;
    bool data = user_page ? !as_s || (s->sstatus & SSTATUS_SUM) : as_s;
    out->exec = (pte & PTE_X) && user_page == !as_s;
    out->read = data && (pte & (s->sstatus & SSTATUS_MXR ? PTE_R | PTE_X : PTE_R));
    out->write = data && (pte & PTE_W);
}

// Finds the leaf for `va`: its entry, where that lies, and its level (0 = 4 KiB). 0: page fault;
// -1: an entry lies outside RAM.
static int find_leaf(struct rv64_state *s, gva va, u64 *pte, u8 **where, gpa *pte_pa) {
    int level = SATP_MODE(s->satp) == SATP_SV39 ? 2 : 3;
    unsigned va_bits = 12 + 9 * (unsigned)(level + 1);
    if ((u64)((i64)(va << (64 - va_bits)) >> (64 - va_bits)) != va) return 0;
    u64 table = SATP_PPN(s->satp);
    for (; level >= 0; level--) {
        *pte_pa = table * GUEST_PAGE_SIZE + (va >> (12 + 9 * level) & 511) * 8;
        *where = bus_ram_ptr(s->g.bus, *pte_pa, 8);
        if (!*where) return -1;
        *pte = get_le64(*where);
        if (!(*pte & PTE_V) || (*pte & PTE_RESERVED) || (*pte & (PTE_R | PTE_W)) == PTE_W) return 0;
        if (*pte & (PTE_R | PTE_X)) {
            bool aligned = (PTE_PPN(*pte) & (((u64)1 << (9 * level)) - 1)) == 0;
            return aligned ? level + 1 : 0;
        }
        if (*pte & (PTE_A | PTE_D | PTE_U)) return 0; // reserved in a pointer to a table
        table = PTE_PPN(*pte);
    }
    return 0;
}

static void note_superpage(struct rv64_state *s, gva first, gva last) {
    unsigned half = (unsigned)(first >> 63);
    if (s->super[half].lo > first) s->super[half].lo = first;
    if (s->super[half].hi < last) s->super[half].hi = last;
}

static void forget_superpages(struct rv64_state *s) {
    for (unsigned half = 0; half < 2; half++) {
        s->super[half].lo = ~(u64)0;
        s->super[half].hi = 0;
    }
}

void rv64_mmu_reset(struct rv64_state *s) { forget_superpages(s); }

bool rv64_translate(struct guest_state *g, gva va, enum guest_access access,
                    struct guest_translation *out, u64 *cause) {
    struct rv64_state *s = rv64_of(g);
    if (SATP_MODE(s->satp) == SATP_BARE) {
        *out = (struct guest_translation){va, true, true, true, true};
        return true;
    }
    u64 pte;
    u8 *where;
    gpa pte_pa;
    int found = find_leaf(s, va, &pte, &where, &pte_pa);
    if (found <= 0) {
        *cause = found < 0 ? rv64_bus_fault(access) : page_fault(access);
        return false;
    }
    permissions(s, pte, out);
    bool allowed = access == ACCESS_READ    ? out->read
                   : access == ACCESS_WRITE ? out->write
                                            : out->exec;
    if (!allowed) {
        *cause = page_fault(access);
        return false;
    }
    u64 marked = pte | PTE_A | (access == ACCESS_WRITE ? PTE_D : 0);
    if (marked != pte) {
        put_le64(where, marked);
        bus_ram_written(s->g.bus, pte_pa, 8);
    }
    if (!(marked & PTE_D)) out->write = false;
    u64 low = ((u64)1 << (12 + 9 * (found - 1))) - 1;
    if (found > 1) note_superpage(s, va & ~low, va | low);
    out->global = pte & PTE_G;
    out->pa = ((PTE_PPN(pte) * GUEST_PAGE_SIZE) & ~low) | (va & low);
    return true;
}

// A flush of one ASID leaves global pages, or takes some along: the manual allows both. A superpage
// is cached in pieces of 4 KiB but one address stands for all of it, so an address among them
// flushes every page.
void rv64_sfence(struct rv64_state *s, const u64 *va, const u64 *asid) {
    u64 key = asid ? (*asid & 0xffff) << KEY_ASID_SHIFT : 0, mask = asid ? KEY_ASID_MASK : 0;
    if (va && (*va < s->super[*va >> 63].lo || *va > s->super[*va >> 63].hi)) {
        guest_tlb_flush_page(&s->g, *va, key, mask);
    } else if (asid) {
        guest_tlb_flush_key(&s->g, key, mask);
    } else {
        guest_tlb_flush(&s->g);
        forget_superpages(s);
    }
}

u64 rv64_help_sfence_vma(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct rv64_state *s = rv64_of(g);
    (void)c;
    if (s->priv == PRIV_U) {
        guest_raise(g, EXC_ILLEGAL, imm);
        return 0;
    }
    rv64_sfence(s, rv_rs1((u32)imm) ? &a : NULL, rv_rs2((u32)imm) ? &b : NULL);
    return 0;
}
