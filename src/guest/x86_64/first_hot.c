// The loop over instructions executed from their bytes: the most frequent forms of them with
// operands of 32 and 64 bits, a few of bytes, and the way from block to block. Everything else it
// leaves to first.c, and so it does with what misses the TLB: nothing of an instruction has
// happened then.
//
// first.c has these forms, too, with sizes as values: for prefixes, 16 bits, the end of a page.
//
// Code that runs once is nothing that a processor can predict, so each branch costs. One switch
// decides what an instruction is, what it does, the operands' size and whether one of them is in
// memory; behind it there are few. It calls nothing, so all that it keeps is in registers. One loop
// for 32- and 64-bit code, so that V8 has optimised it when the first 32-bit program starts.
// docs/interpreter.md has what was tried.
#include "guest/x86_64/first_do.h"

// What the loop keeps; no function gets hold of it that is not part of it. What is seldom needed is
// in *x, because V8 has few registers to give.
struct hot {
    struct first *x;
    struct x86_state *s;
    const struct tlb_entry *tlb;
    const u8 *q; // next byte
    u32 w;       // opcode and what may be ModRM
    unsigned rex;
    u64 next; // where a block's last instruction goes
};

static ALWAYS_INLINE unsigned op(const struct hot *h) { return h->w & 0xff; }
static ALWAYS_INLINE unsigned reg_of(const struct hot *h) {
    return (h->w >> 11 & 7) | (h->rex & 4) << 1;
}
static ALWAYS_INLINE unsigned rm_of(const struct hot *h) {
    return (h->w >> 8 & 7) | (h->rex & 1) << 3;
}
static ALWAYS_INLINE unsigned op_reg(const struct hot *h) {
    return (op(h) & 7) | (h->rex & 1) << 3;
}
static ALWAYS_INLINE unsigned op_how(const struct hot *h) { return op(h) >> 3 & 7; }
static ALWAYS_INLINE unsigned digit_of(const struct hot *h) { return h->w >> 11 & 7; }

// Registers of one byte may be AH and so on.
static ALWAYS_INLINE u8 *place(const struct hot *h, unsigned n, unsigned size) {
    u8 *r = (u8 *)&h->s->r[n];
    return size == 1 && !h->rex && n >= 4 ? r - 31 : r;
}
static ALWAYS_INLINE u64 get(const struct hot *h, unsigned n, unsigned size) {
    return first_get(place(h, n, size), size);
}
static ALWAYS_INLINE bool set(struct hot *h, unsigned n, unsigned size, u64 v) {
    if (size == 1)
        *place(h, n, size) = (u8)v;
    else
        h->s->r[n] = size == 4 ? (u32)v : v;
    return true;
}

// ---- memory

static ALWAYS_INLINE u64 address(struct hot *h, unsigned imm_bytes) {
    unsigned mod = h->w >> 14 & 3, low = h->w >> 8 & 7;
    const u64 *r = h->s->r;
    u64 ea;
    if (low == 4) {
        unsigned sib = *h->q++, index = (sib >> 3 & 7) | (h->rex & 2) << 2;
        ea = index == 4 ? 0 : r[index] << (sib >> 6);
        if ((sib & 7) == 5 && mod == 0)
            mod = 2;
        else
            ea += r[(sib & 7) | (h->rex & 1) << 3];
    } else if (low == 5 && mod == 0) {
        ea = h->x->wide ? h->x->shift + (uintptr_t)h->q + 4 + imm_bytes : 0;
        mod = 2;
    } else {
        ea = r[low | (h->rex & 1) << 3];
    }
    if (mod == 1) {
        ea += (u64)(i8)*h->q++;
    } else if (mod == 2) {
        ea += (u64)first_i32(h->q);
        h->q += 4;
    }
    return ea & h->x->mask;
}

enum { TO_READ = 0, TO_WRITE = TLB_SIZE };
static ALWAYS_INLINE u8 *probe(const struct hot *h, unsigned table, u64 va, unsigned size) {
    const struct tlb_entry *e = &h->tlb[table + (va >> 12 & (TLB_SIZE - 1))];
    return likely((va ^ e->tag) <= 4096 - size) ? (u8 *)(e->addend + (uintptr_t)va) : NULL;
}

static ALWAYS_INLINE u64 imm(struct hot *h, unsigned bytes) {
    h->q += bytes;
    return bytes == 1 ? (u64)(i8)h->q[-1] : (u64)first_i32(h->q - 4);
}

// ---- instructions; false: left to others

static ALWAYS_INLINE bool alu_to_reg(struct hot *h, unsigned how, unsigned size, unsigned n,
                                     u64 b) {
    u64 v = do_alu(h->s, how, size, get(h, n, size), b);
    return how == ALU_CMP || set(h, n, size, v);
}
static ALWAYS_INLINE bool alu_to_mem(struct hot *h, unsigned how, unsigned size, u64 ea, u64 b) {
    u8 *at = probe(h, how == ALU_CMP ? TO_READ : TO_WRITE, ea, size);
    if (!at) return false;
    u64 v = do_alu(h->s, how, size, first_get(at, size), b);
    if (how != ALU_CMP) first_put(at, size, v);
    return true;
}
static ALWAYS_INLINE bool alu_mr(struct hot *h, unsigned how, unsigned size) {
    return alu_to_mem(h, how, size, address(h, 0), get(h, reg_of(h), size));
}
static ALWAYS_INLINE bool alu_rm(struct hot *h, unsigned how, unsigned size) {
    u8 *at = probe(h, TO_READ, address(h, 0), size);
    return at && alu_to_reg(h, how, size, reg_of(h), first_get(at, size));
}
static ALWAYS_INLINE bool alu_rr(struct hot *h, unsigned how, unsigned size) {
    return alu_to_reg(h, how, size, rm_of(h), get(h, reg_of(h), size));
}
static ALWAYS_INLINE bool alu_rr_back(struct hot *h, unsigned how, unsigned size) {
    return alu_to_reg(h, how, size, reg_of(h), get(h, rm_of(h), size));
}
static ALWAYS_INLINE bool alu_ri(struct hot *h, unsigned how, unsigned size, unsigned bytes) {
    return alu_to_reg(h, how, size, rm_of(h), imm(h, bytes));
}
static ALWAYS_INLINE bool alu_mi(struct hot *h, unsigned how, unsigned size, unsigned bytes) {
    u64 ea = address(h, bytes);
    return alu_to_mem(h, how, size, ea, imm(h, bytes));
}
static ALWAYS_INLINE bool alu_ai(struct hot *h, unsigned how, unsigned size) {
    return alu_to_reg(h, how, size, RAX, imm(h, size == 1 ? 1 : 4));
}

static ALWAYS_INLINE bool test(struct hot *h, unsigned size, u64 a, u64 b) {
    do_logic_flags(h->s, size, a & b & first_mask(size));
    return true;
}
static ALWAYS_INLINE bool test_m(struct hot *h, unsigned size, unsigned imm_bytes) {
    u64 ea = address(h, imm_bytes);
    u8 *at = probe(h, TO_READ, ea, size);
    if (!at) return false;
    return test(h, size, first_get(at, size),
                imm_bytes ? imm(h, imm_bytes) : get(h, reg_of(h), size));
}

static ALWAYS_INLINE bool load(struct hot *h, unsigned from, bool sext, unsigned size) {
    u8 *at = probe(h, TO_READ, address(h, 0), from);
    if (!at) return false;
    u64 v = first_get(at, from);
    return set(h, reg_of(h), size, sext ? first_sext(v, from) : v);
}
static ALWAYS_INLINE bool extend(struct hot *h, unsigned from, bool sext, unsigned size) {
    u64 v = get(h, rm_of(h), from);
    return set(h, reg_of(h), size, sext ? first_sext(v, from) : v);
}
static ALWAYS_INLINE bool store(struct hot *h, unsigned size, u64 ea, u64 v) {
    u8 *at = probe(h, TO_WRITE, ea, size);
    if (!at) return false;
    first_put(at, size, v);
    return true;
}
static ALWAYS_INLINE bool store_imm(struct hot *h, unsigned size, unsigned bytes) {
    u64 ea = address(h, bytes);
    return !digit_of(h) && store(h, size, ea, imm(h, bytes));
}
static ALWAYS_INLINE bool mov_imm(struct hot *h, unsigned size) {
    u64 v = first_get(h->q, size);
    h->q += size;
    return set(h, op_reg(h), size, v);
}

static ALWAYS_INLINE bool shift(struct hot *h, unsigned how, unsigned size, unsigned count) {
    unsigned n = rm_of(h), c = count & (size == 8 ? 63 : 31);
    return c && set(h, n, size, do_shift(h->s, how, size, get(h, n, size), c));
}
static ALWAYS_INLINE bool shift_double(struct hot *h, bool left, unsigned size) {
    unsigned n = rm_of(h), c = (unsigned)imm(h, 1) & (size == 8 ? 63 : 31);
    u64 a = get(h, n, size), b = get(h, reg_of(h), size);
    return c && set(h, n, size, do_shift_double(h->s, left, size, a, b, c));
}
static ALWAYS_INLINE bool imul(struct hot *h, unsigned size, u64 b) {
    return set(h, reg_of(h), size, do_multiply(h->s, size, get(h, rm_of(h), size), b));
}
static ALWAYS_INLINE bool mul(struct hot *h, unsigned size) {
    do_mul(h->s, false, size, get(h, rm_of(h), size));
    return true;
}
static ALWAYS_INLINE bool incdec(struct hot *h, bool inc, unsigned size, unsigned n) {
    return set(h, n, size, do_incdec(h->s, inc, size, get(h, n, size)));
}

static ALWAYS_INLINE bool incdec_reg(struct hot *h, bool inc) {
    unsigned n = rm_of(h);
    return h->rex & 8 ? incdec(h, inc, 8, n) : incdec(h, inc, 4, n);
}

static ALWAYS_INLINE bool neg(struct hot *h, unsigned size) {
    unsigned n = rm_of(h);
    return set(h, n, size, do_alu(h->s, ALU_SUB, size, 0, get(h, n, size)));
}

// ---- conditions

// False: not known without more ado.
static ALWAYS_INLINE bool condition(const struct hot *h, unsigned cc, bool *c) {
    if (cc == COND_B)
        *c = h->s->cc_a < h->s->cc_b;
    else if (cc == COND_Z)
        *c = do_is_zero(h->s);
    else if (cc == COND_BE)
        *c = do_is_zero(h->s) || h->s->cc_a < h->s->cc_b;
    else if (!do_compared(h->s, cc, c))
        return false;
    *c ^= op(h) & 1;
    return true;
}
static ALWAYS_INLINE bool setcc(struct hot *h) {
    bool c;
    return condition(h, op(h) & 14, &c) && set(h, rm_of(h), 1, c);
}
static ALWAYS_INLINE bool cmov(struct hot *h, unsigned size) {
    bool c;
    u64 v = get(h, rm_of(h), size), old = get(h, reg_of(h), size);
    return condition(h, op(h) & 14, &c) && set(h, reg_of(h), size, c ? v : old);
}

// ---- the stack

static ALWAYS_INLINE bool push(struct hot *h, unsigned size, u64 v) {
    u64 sp = (h->s->r[RSP] - size) & h->x->mask;
    if (!store(h, size, sp, v)) return false;
    h->s->r[RSP] = sp;
    return true;
}
static ALWAYS_INLINE bool pop(struct hot *h, unsigned size, u64 *v) {
    u64 sp = h->s->r[RSP] & h->x->mask;
    u8 *at = probe(h, TO_READ, sp, size);
    if (!at) return false;
    *v = first_get(at, size);
    h->s->r[RSP] = (sp + size) & h->x->mask;
    return true;
}
static ALWAYS_INLINE bool pop_reg(struct hot *h, unsigned size) {
    u64 v;
    if (!pop(h, size, &v)) return false;
    h->s->r[op_reg(h)] = v;
    return true;
}
static ALWAYS_INLINE bool push_mem(struct hot *h, unsigned size) {
    u8 *at = probe(h, TO_READ, address(h, 0), size);
    return at && push(h, size, first_get(at, size));
}
static ALWAYS_INLINE bool leave(struct hot *h, unsigned size) {
    u64 sp = h->s->r[RBP] & h->x->mask;
    u8 *at = probe(h, TO_READ, sp, size);
    if (!at) return false;
    h->s->r[RBP] = first_get(at, size);
    h->s->r[RSP] = (sp + size) & h->x->mask;
    return true;
}

// ---- the block's last instruction

static ALWAYS_INLINE u64 here(const struct hot *h) { return h->x->shift + (uintptr_t)h->q; }
static ALWAYS_INLINE bool jump(struct hot *h, unsigned bytes, bool taken) {
    u64 by = imm(h, bytes);
    h->next = here(h) + (taken ? by : 0);
    return true;
}
static ALWAYS_INLINE bool jump_if(struct hot *h, unsigned bytes, unsigned cc) {
    bool c;
    return condition(h, cc, &c) && jump(h, bytes, c);
}
static ALWAYS_INLINE bool call(struct hot *h, unsigned size) {
    u64 by = imm(h, 4), pc = here(h);
    h->next = pc + by;
    return push(h, size, pc);
}
// FF /4, FF /2: through a register or memory.
static ALWAYS_INLINE bool jump_to(struct hot *h, unsigned size, bool mem, bool is_call) {
    if (mem) {
        u8 *at = probe(h, TO_READ, address(h, 0), size);
        if (!at) return false;
        h->next = first_get(at, size);
    } else {
        h->next = get(h, rm_of(h), size);
    }
    return !is_call || push(h, size, here(h));
}

// ---- places in the switch

// A form with ModRM has two, for memory and for a register, a group those of each digit. What has
// its operands' size is there again for 64 bits, and so is what has the size of addresses.
enum {
    NONE,
    TWO, // 0f
    F3,
    OF_SIZE,
    ALU_MR = OF_SIZE,
    ALU_RM = ALU_MR + 16,
    ALU_I8 = ALU_RM + 16,
    ALU_IZ = ALU_I8 + 16,
    ALU_AI = ALU_IZ + 16,
    SHIFT_I = ALU_AI + 8,
    SHIFT_1 = SHIFT_I + 16,
    SHIFT_C = SHIFT_1 + 16,
    GROUP3 = SHIFT_C + 16,
    MOV_MR = GROUP3 + 16,
    MOV_RM = MOV_MR + 2,
    MOV_MI = MOV_RM + 2,
    MOV_RI = MOV_MI + 2,
    LEA,
    TEST_MR = LEA + 2,
    TEST_AI = TEST_MR + 2,
    MOVSXD,
    IMUL_I8 = MOVSXD + 2,
    IMUL_IZ = IMUL_I8 + 2,
    CBW = IMUL_IZ + 2,
    AFTER_SIZE,
    SIZE_64 = AFTER_SIZE - OF_SIZE,
    OF_WORD = AFTER_SIZE + SIZE_64,
    GROUP5 = OF_WORD,
    PUSH = GROUP5 + 16,
    POP,
    PUSH_I8,
    PUSH_IZ,
    LEAVE,
    CALL,
    RET,
    AFTER_WORD,
    WORD_64 = AFTER_WORD - OF_WORD,
    ALU8_MI = AFTER_WORD + WORD_64,
    CMP8_MR = ALU8_MI + 16,
    CMP8_RM = CMP8_MR + 2,
    CMP8_AI = CMP8_RM + 2,
    TEST8_MR,
    TEST8_AI = TEST8_MR + 2,
    TEST8_MI,
    MOV8_MR = TEST8_MI + 16,
    MOV8_RM = MOV8_MR + 2,
    MOV8_MI = MOV8_RM + 2,
    NOP = MOV8_MI + 2,
    INC_R,
    DEC_R,
    JMP8,
    JMP32,
    JCC8,
    JB8,
    JZ8,
    JBE8,
    AFTER_ALL,
};
enum { // behind 0f
    OF_SIZE_0F = 1,
    CMOV = OF_SIZE_0F,
    IMUL2 = CMOV + 2,
    SHLD = IMUL2 + 2,
    SHRD = SHLD + 2,
    MOVZX8 = SHRD + 2,
    MOVZX16 = MOVZX8 + 2,
    MOVSX8 = MOVZX16 + 2,
    MOVSX16 = MOVSX8 + 2,
    AFTER_SIZE_0F = MOVSX16 + 2,
    SIZE_64_0F = AFTER_SIZE_0F - OF_SIZE_0F,
    SETCC = AFTER_SIZE_0F + SIZE_64_0F,
    NOP_M = SETCC + 2,
    JCC32 = NOP_M + 2,
    JB32,
    JZ32,
    JBE32,
};

// Of an opcode: its place, and which bits of (digit << 1 | no memory) are added to that.
enum { PLACE = 0x1ff, MASK_SHIFT = 9, MOD = 1 << MASK_SHIFT, DIGIT = 15 << MASK_SHIFT };
_Static_assert(AFTER_ALL <= PLACE + 1, "places have 9 bits");

#define ALU(base, how, s)                                                                          \
    [(base) + 1] = (ALU_MR + 2 * (how) + (s)) | MOD,                                               \
              [(base) + 3] = (ALU_RM + 2 * (how) + (s)) | MOD, [(base) + 5] = ALU_AI + (how) + (s)

// clang-format off
// s, w, t: to the places of what has the size of operands, that of addresses, and that of operands behind 0f.
#define FORMS(s, w, t, inc, dec) {                                                                 \
    ALU(0x00, ALU_ADD, s), ALU(0x08, ALU_OR, s), ALU(0x10, ALU_ADC, s), ALU(0x18, ALU_SBB, s),     \
    ALU(0x20, ALU_AND, s), ALU(0x28, ALU_SUB, s), ALU(0x30, ALU_XOR, s), ALU(0x38, ALU_CMP, s),    \
    [0x0f] = TWO,                                                                                  \
    [0x38] = CMP8_MR | MOD, [0x3a] = CMP8_RM | MOD, [0x3c] = CMP8_AI,                              \
    [0x40 ... 0x47] = inc, [0x48 ... 0x4f] = dec,                                                  \
    [0x50 ... 0x57] = (PUSH + (w)), [0x58 ... 0x5f] = (POP + (w)),                                 \
    [0x63] = (MOVSXD + (s)) | MOD,                                                                 \
    [0x68] = (PUSH_IZ + (w)), [0x6a] = (PUSH_I8 + (w)),                                            \
    [0x69] = (IMUL_IZ + (s)) | MOD, [0x6b] = (IMUL_I8 + (s)) | MOD,                                \
    [0x70 ... 0x71] = JCC8, [0x72 ... 0x73] = JB8, [0x74 ... 0x75] = JZ8,                          \
    [0x76 ... 0x77] = JBE8, [0x78 ... 0x7f] = JCC8,                                                \
    [0x80] = ALU8_MI | DIGIT, [0x81] = (ALU_IZ + (s)) | DIGIT, [0x83] = (ALU_I8 + (s)) | DIGIT,    \
    [0x84] = TEST8_MR | MOD, [0x85] = (TEST_MR + (s)) | MOD,                                       \
    [0x88] = MOV8_MR | MOD, [0x89] = (MOV_MR + (s)) | MOD,                                         \
    [0x8a] = MOV8_RM | MOD, [0x8b] = (MOV_RM + (s)) | MOD,                                         \
    [0x8d] = (LEA + (s)) | MOD,                                                                    \
    [0x90] = NOP, [0x98] = (CBW + (s)),                                                            \
    [0xa8] = TEST8_AI, [0xa9] = (TEST_AI + (s)),                                                   \
    [0xb8 ... 0xbf] = (MOV_RI + (s)),                                                              \
    [0xc1] = (SHIFT_I + (s)) | DIGIT, [0xd1] = (SHIFT_1 + (s)) | DIGIT,                            \
    [0xd3] = (SHIFT_C + (s)) | DIGIT,                                                              \
    [0xc3] = (RET + (w)),                                                                          \
    [0xc6] = MOV8_MI | MOD, [0xc7] = (MOV_MI + (s)) | MOD,                                         \
    [0xc9] = (LEAVE + (w)),                                                                        \
    [0xe8] = (CALL + (w)), [0xe9] = JMP32, [0xeb] = JMP8,                                          \
    [0xf3] = F3,                                                                                   \
    [0xf6] = TEST8_MI | DIGIT, [0xf7] = (GROUP3 + (s)) | DIGIT,                                    \
    [0xff] = (GROUP5 + (w)) | DIGIT,                                                               \
    /* 0f */                                                                                       \
    [0x11f] = NOP_M | MOD,                                                                         \
    [0x140 ... 0x14f] = (CMOV + (t)) | MOD,                                                        \
    [0x180 ... 0x181] = JCC32, [0x182 ... 0x183] = JB32, [0x184 ... 0x185] = JZ32,                 \
    [0x186 ... 0x187] = JBE32, [0x188 ... 0x18f] = JCC32,                                          \
    [0x190 ... 0x19f] = SETCC | MOD,                                                               \
    [0x1a4] = (SHLD + (t)) | MOD, [0x1ac] = (SHRD + (t)) | MOD,                                    \
    [0x1af] = (IMUL2 + (t)) | MOD,                                                                 \
    [0x1b6] = (MOVZX8 + (t)) | MOD, [0x1b7] = (MOVZX16 + (t)) | MOD,                               \
    [0x1be] = (MOVSX8 + (t)) | MOD, [0x1bf] = (MOVSX16 + (t)) | MOD,                               \
}
// clang-format on
enum { ROW_32, ROW_64, ROW_64_W }; // of 32-bit code, of 64-bit code, behind REX.W
static const u16 forms[][512] = {
    [ROW_32] = FORMS(0, 0, 0, INC_R, DEC_R),
    [ROW_64] = FORMS(0, WORD_64, 0, NONE, NONE),
    [ROW_64_W] = FORMS(SIZE_64, WORD_64, SIZE_64_0F, NONE, NONE),
};

// w: opcode and ModRM.
static ALWAYS_INLINE unsigned place_of(u32 w, unsigned form) {
    unsigned digit = (w >> 10 & 14) | ((w & 0xff00) >= 0xc000);
    return (form & PLACE) + (digit & form >> MASK_SHIFT);
}

static ALWAYS_INLINE enum first_end way_of(const struct hot *h) {
    if (op(h) == 0xe8) return FIRST_CALLED;
    if (op(h) != 0xff) return FIRST_WENT;
    return digit_of(h) == 2 ? FIRST_CALLED : FIRST_JUMPED;
}

// The compiler would compute ahead what many cases have in common, and have no registers for it.
#define KEEP(v) __asm__("" : "+r"(v))

#define X(at, does)                                                                                \
    case at:                                                                                       \
        KEEP(h.w);                                                                                 \
        KEEP(h.q);                                                                                 \
        ok = does;                                                                                 \
        break;
#define M(at, does) X(at, (h.q++, does))
#define R(at, does) X((at) + 1, (h.q++, does))
// Of the digits 0 to 6 one case.
#define M7(at, does)                                                                               \
    case (at):                                                                                     \
    case (at) + 2:                                                                                 \
    case (at) + 4:                                                                                 \
    case (at) + 6:                                                                                 \
    case (at) + 8:                                                                                 \
    case (at) + 10:                                                                                \
        M((at) + 12, does)
#define END(at, does)                                                                              \
    case at:                                                                                       \
        KEEP(h.w);                                                                                 \
        KEEP(h.q);                                                                                 \
        if (!(does)) goto general;                                                                 \
        goto ended;
#define M_END(at, does) END(at, (h.q++, does))
#define R_END(at, does) END((at) + 1, (h.q++, does))

enum first_end first_hot(struct first *x) {
    x->row = forms[x->wide ? ROW_64 : ROW_32];
    x->rex_bits = x->wide ? 0x40 : ~0u;
    struct hot h = {.x = x, .s = x->s, .tlb = x->f->tlb, .q = x->p};
    u32 n = x->f->most - x->done;
    for (;;) {
        x->p = h.q;
        if (unlikely(n == 0)) break;
        if (unlikely(h.q > x->last)) goto general;
        KEEP(h.s);
        h.w = first_u32(h.q++);
        bool ok;
        if ((h.w & 0xf0) == x->rex_bits) {
            h.rex = op(&h);
            h.w = first_u32(h.q++);
            const u16 *row = forms[ROW_64 + (h.rex >> 3 & 1)];
            switch (place_of(h.w, row[op(&h)])) {
            case TWO:
                h.w >>= 8;
                h.q++;
                switch (place_of(h.w, row[256 + op(&h)])) {
#define ROWS_0F
#define ROWS_0F_OF_4
#define ROWS_0F_OF_8
#include "guest/x86_64/first_hot.def"
                default:
                    goto general;
                }
                break;
#define ROWS
#define ROWS_OF_4
#define ROWS_OF_8
#define ROWS_OF_WORD_8
#include "guest/x86_64/first_hot.def"
            default:
                goto general;
            }
        } else {
            h.rex = 0;
            switch (place_of(h.w, x->row[op(&h)])) {
            case TWO:
                h.w >>= 8;
                h.q++;
                switch (place_of(h.w, x->row[256 + op(&h)])) {
#define ROWS_0F
#define ROWS_0F_OF_4
#include "guest/x86_64/first_hot.def"
                default:
                    goto general;
                }
                break;
            case F3: // ENDBR64, which is a NOP
                ok = x->wide && h.w == 0xfa1e0ff3;
                h.q += 3;
                break;
#define ROWS
#define ROWS_OF_4
#define ROWS_OF_WORD_4
#define ROWS_OF_WORD_8
#include "guest/x86_64/first_hot.def"
            default:
                goto general;
            }
        }
        if (!ok) goto general;
        n--;
        continue;
    ended:
        x->done = x->f->most - n;
        x->next = h.next;
        if (!first_over(x, way_of(&h))) return way_of(&h);
        h.q = x->p;
        n = x->f->most;
    }
    x->done = x->f->most - n;
    return FIRST_FULL;
general:
    x->done = x->f->most - n;
    return FIRST_UNKNOWN;
}
