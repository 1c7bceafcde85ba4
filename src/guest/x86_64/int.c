// Arithmetic that is too rare or too big for IR: wide division, rotation through the carry, decimal
// adjustment, bit gathering, CRC (SDM 2).
#include "guest/x86_64/lift.h"

typedef unsigned __int128 u128;

// ---- division

u64 x86_help_div64(struct guest_state *g, u64 d, u64 b, u64 c, u64 is_signed) {
    struct x86_state *s = x86_of(g);
    u128 n = (u128)s->r[RDX] << 64 | s->r[RAX], q, r;
    (void)b;
    (void)c;
    bool neg_n = is_signed && n >> 127, neg_d = is_signed && d >> 63;
    u128 un = neg_n ? -n : n;
    u64 ud = neg_d ? -d : d;
    // The quotient's limit: 2^64 - 1, or 2^63 - 1, or 2^63 when it is negative.
    u128 most = !is_signed ? ~(u64)0 : ((u64)1 << 63) - 1 + (neg_n != neg_d);
    if (ud == 0 || (q = un / ud) > most) {
        guest_raise(g, EXC_DE, 0);
        return 0;
    }
    r = un % ud;
    s->r[RAX] = (u64)(neg_n != neg_d ? -q : q);
    s->r[RDX] = (u64)(neg_n ? -r : r);
    return 0;
}

// ---- rotation through the carry

// One of width + 1 bits: the value with the carry above it.
static u64 through_carry(u64 v, u64 count, u64 cin, u64 imm, u64 *out) {
    unsigned width = imm & 0xff;
    bool right = imm >> 8 & 1;
    unsigned n = (unsigned)count % (width + 1);
    if (n == 0) {
        *out = cin;
        return v;
    }
    if (right) n = width + 1 - n;
    u128 all = (u128)cin << width | v, mask = ((u128)1 << (width + 1)) - 1;
    u128 r = (all << n | all >> (width + 1 - n)) & mask;
    *out = (u64)(r >> width & 1);
    return (u64)(r & (mask >> 1));
}

u64 x86_help_rotate_carry(struct guest_state *g, u64 v, u64 count, u64 cin, u64 imm) {
    u64 out;
    (void)g;
    return through_carry(v, count, cin, imm, &out);
}

u64 x86_help_rotate_carry_out(struct guest_state *g, u64 v, u64 count, u64 cin, u64 imm) {
    u64 out;
    (void)g;
    (void)through_carry(v, count, cin, imm, &out);
    return out;
}

// ---- bits

u64 x86_help_pext(struct guest_state *g, u64 v, u64 mask, u64 c, u64 imm) {
    u64 r = 0;
    (void)g;
    (void)c;
    (void)imm;
    for (unsigned k = 0; mask; mask &= mask - 1, k++) r |= (v >> __builtin_ctzll(mask) & 1) << k;
    return r;
}

u64 x86_help_pdep(struct guest_state *g, u64 v, u64 mask, u64 c, u64 imm) {
    u64 r = 0;
    (void)g;
    (void)c;
    (void)imm;
    for (unsigned k = 0; mask; mask &= mask - 1, k++) r |= (v >> k & 1) << __builtin_ctzll(mask);
    return r;
}

// CRC-32C, bit by bit reflected.
u64 x86_help_crc32(struct guest_state *g, u64 crc, u64 data, u64 c, u64 bytes) {
    u32 r = (u32)crc;
    (void)g;
    (void)c;
    for (u64 i = 0; i < bytes; i++) {
        r ^= (u8)(data >> (8 * i));
        for (unsigned k = 0; k < 8; k++) r = r >> 1 ^ (r & 1 ? 0x82f63b78u : 0);
    }
    return r;
}

// ---- decimal

static void set_result_flags(struct x86_state *s, u8 al, u64 more) {
    u64 f = more | (al ? 0 : FL_ZF) | (al & 0x80 ? FL_SF : 0);
    if (!(__builtin_popcount(al) & 1)) f |= FL_PF;
    x86_set_status_flags(s, f);
}

static void set_ax(struct x86_state *s, u16 ax) { s->r[RAX] = (s->r[RAX] & ~(u64)0xffff) | ax; }

static void packed(struct x86_state *s, bool sub) {
    u64 f = x86_status_flags(s);
    u8 al = (u8)s->r[RAX], old = al;
    bool cf = false, old_cf = f & FL_CF, af = (al & 15) > 9 || f & FL_AF;
    if (af) {
        cf = old_cf || (sub ? al < 6 : al > 0xf9);
        al = (u8)(sub ? al - 6 : al + 6);
    }
    if (old > 0x99 || old_cf) {
        al = (u8)(sub ? al - 0x60 : al + 0x60);
        cf = true;
    }
    set_ax(s, (u16)((s->r[RAX] & 0xff00) | al));
    set_result_flags(s, al, (cf ? FL_CF : 0) | (af ? FL_AF : 0));
}

static void unpacked(struct x86_state *s, bool sub) {
    u64 f = x86_status_flags(s);
    u16 ax = (u16)s->r[RAX];
    bool adjust = (ax & 15) > 9 || f & FL_AF;
    if (adjust) ax = (u16)(sub ? ax - 0x106 : ax + 0x106);
    set_ax(s, ax & 0xff0f);
    set_result_flags(s, (u8)(ax & 15), adjust ? FL_CF | FL_AF : 0);
}

u64 x86_help_bcd(struct guest_state *g, u64 a, u64 b, u64 c, u64 imm) {
    struct x86_state *s = x86_of(g);
    u8 base = (u8)(imm >> 8), al = (u8)s->r[RAX], ah = (u8)(s->r[RAX] >> 8);
    (void)a;
    (void)b;
    (void)c;
    switch (imm & 0xff) {
    case BCD_DAA:
    case BCD_DAS:
        packed(s, (imm & 0xff) == BCD_DAS);
        break;
    case BCD_AAA:
    case BCD_AAS:
        unpacked(s, (imm & 0xff) == BCD_AAS);
        break;
    case BCD_AAM:
        if (!base) {
            guest_raise(g, EXC_DE, 0);
            break;
        }
        set_ax(s, (u16)(al / base << 8 | al % base));
        set_result_flags(s, al % base, 0);
        break;
    default:
        al = (u8)(al + ah * base);
        set_ax(s, al);
        set_result_flags(s, al, 0);
        break;
    }
    return 0;
}
