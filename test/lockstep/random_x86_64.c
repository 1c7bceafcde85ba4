// Random x86_64 shapes and their layout (x86.h says where things are). Code is 64-bit or 32-bit in
// compatibility mode, at CPL 0 or 3.
#include <string.h>

#include "base/compiler.h"
#include "guest/x86_64/state.h"
#include "x86.h"

enum kind {
    N_ITEM,
    N_COUNT,  // loop counter arg := to
    N_BACK,   // loop: back over `to` nodes while counter arg is greater than 0
    N_CALL,   // function `to`; arg: 0 relative, 1 through a register, 2 through memory
    N_SWITCH, // to one of the next four nodes, by a register
    N_JUMP,   // conditional, over up to three nodes
    N_STACK,  // pushes and pops, variant arg
    N_STRING,
    N_PATCH, // changes the N_SLOT after it that is `to` slots away; arg: through the other mapping
    N_SLOT,  // an addition whose immediate is changed
    N_SYSTEM,
    N_FLOATS, // operations on scalars some of which are denormal
    N_EDGE,   // so that the next instruction crosses into the next page, or (arg) starts it
};

enum { STACK_VARIANTS = 10, SYSTEM_VARIANTS = 40 };

// ---- shapes

static void node_random(struct node *n, struct rng *r, const struct shape *s, unsigned func) {
    *n = (struct node){.kind = N_ITEM};
    u32 k = rng_below(r, 100);
    n->arg = (u8)rng_below(r, 256);
    n->to = (u16)rng_below(r, 65536);
    if (k < 50) {
        x86_item_random(&n->x86, s->bits32, r);
    } else if (k < 54) {
        n->kind = N_FLOATS;
    } else if (k < 59) {
        n->kind = N_COUNT;
        n->arg &= 1;
        n->to = (u16)(1 + rng_below(r, n->arg ? 6 : 40));
    } else if (k < 67) {
        n->kind = N_BACK;
        n->to = (u16)(1 + rng_below(r, 6));
    } else if (k < 74 && func + 1 < s->nfuncs) {
        n->kind = N_CALL;
        n->arg %= 3;
        n->to = (u16)(func + 1 + rng_below(r, s->nfuncs - func - 1));
    } else if (k < 77) {
        n->kind = N_SWITCH;
    } else if (k < 84) {
        n->kind = N_JUMP;
    } else if (k < 88) {
        n->kind = N_STACK;
        n->arg %= STACK_VARIANTS;
    } else if (k < 90) {
        n->kind = N_STRING;
    } else if (k < 91) {
        n->kind = N_PATCH;
        n->to %= 4;
    } else if (k < 93) {
        n->kind = N_SLOT;
    } else if (k < 98) {
        n->kind = N_SYSTEM;
        n->arg %= SYSTEM_VARIANTS;
    } else {
        n->kind = N_EDGE;
        n->arg &= 1;
    }
}

static void shape_random(struct shape *s, u64 seed) {
    struct rng r = {seed * 0x9e3779b97f4a7c15u + 54321};
    *s = (struct shape){.seed = seed, .paging = true};
    s->bits32 = rng_below(&r, 4) == 0;
    s->user = rng_below(&r, 2);
    s->moved = rng_below(&r, 3) == 0;
    s->high = !s->bits32 && !s->moved && rng_below(&r, 3) == 0;
    s->pcid = rng_below(&r, 2);
    s->ist = !s->user && rng_below(&r, 2);
    s->interrupts = rng_below(&r, 2);
    s->nfuncs = 1 + rng_below(&r, SHAPE_FUNCS);
    unsigned edges = 0;
    for (unsigned f = 0; f < s->nfuncs; f++) {
        struct shape_func *p = &s->func[f];
        p->n = (u8)(4 + rng_below(&r, SHAPE_NODES - 3));
        p->leaf = rng_below(&r, 3) == 0;
        for (unsigned i = 0; i < p->n; i++) {
            do node_random(&p->node[i], &r, s, f);
            while (p->node[i].kind == N_EDGE && edges == 6);
            edges += p->node[i].kind == N_EDGE;
        }
    }
}

// ---- layout

struct layout {
    const struct shape *s;
    struct x86_code c;
    u32 tables;  // next free byte of the tables
    u64 code_va; // of offset 0, as code sees it
    u32 func[SHAPE_FUNCS];
    u32 node[SHAPE_FUNCS][SHAPE_NODES + 1];
    u8 starts[(X86_CODE_END - X86_CODE) / 8]; // where a fault may go on
};

static void mark(struct layout *l) {
    u32 i = l->c.at - X86_CODE;
    if (i < X86_CODE_END - X86_CODE) l->starts[i / 8] |= (u8)(1 << i % 8);
}

static bool wide(const struct layout *l) { return !l->s->bits32; }

// A 32-bit distance from behind it to the byte at offset `to`.
static void put_rel(struct layout *l, u32 to) { x86_put32(&l->c, to - (l->c.at + 4)); }

// An operand at the offset `at` in RAM: ModRM with reg, and a displacement. `more`: bytes of the
// instruction after it.
static void put_memory(struct layout *l, unsigned reg, u32 at, unsigned more) {
    CODE(&l->c, (u8)(5 | reg << 3));
    if (wide(l))
        x86_put32(&l->c, at - (l->c.at + 4 + more));
    else
        x86_put32(&l->c, (u32)l->code_va + at);
}

// A general register that may be changed.
static unsigned some_reg(const struct layout *l, struct rng *r) {
    for (;;) {
        unsigned n = rng_below(r, 8);
        if (n != RSP && (wide(l) || n != RBP)) return n;
    }
}

static u32 table(struct layout *l, const u32 *to, unsigned n) {
    unsigned size = wide(l) ? 8 : 4;
    u32 at = l->tables;
    if (at + size * n > X86_TABLES + X86_PAGE) at = X86_TABLES; // used twice: a jump elsewhere
    for (unsigned i = 0; i < n; i++)
        if (size == 8)
            put_le64(l->c.ram + at + 8 * i, l->code_va + to[i]);
        else
            put_le32(l->c.ram + at + 4 * i, (u32)l->code_va + to[i]);
    l->tables = at + size * n;
    return at;
}

static void put_item(struct layout *l, const struct x86_item *it) {
    u8 b[15];
    memcpy(b, it->b, it->len);
    // The window lies at the same distance in the mapping that the code is seen in.
    if (it->rip)
        put_le32(b + it->disp_at, get_le32(b + it->disp_at) + X86_WINDOW - (l->c.at + it->len));
    x86_put(&l->c, b, it->len);
}

static void put_call(struct layout *l, const struct node *n, struct rng *r) {
    u32 to = l->func[n->to];
    unsigned reg = some_reg(l, r);
    if (n->arg == 0) {
        CODE(&l->c, 0xe8);
        put_rel(l, to);
    } else if (n->arg == 1) {
        if (wide(l)) {
            CODE(&l->c, 0x48, 0x8d, (u8)(5 | reg << 3)); // lea reg, [rip + ...]
            put_rel(l, to);
        } else {
            CODE(&l->c, (u8)(0xb8 | reg));
            x86_put32(&l->c, (u32)l->code_va + to);
        }
        CODE(&l->c, 0xff, (u8)(0xd0 | reg));
    } else {
        CODE(&l->c, 0xff);
        put_memory(l, 2, table(l, &to, 1), 0);
    }
}

static u32 node_at(const struct layout *l, unsigned f, unsigned i) {
    return l->node[f][i < l->s->func[f].n ? i : l->s->func[f].n];
}

static void put_switch(struct layout *l, unsigned f, unsigned i) {
    u32 to[4], at;
    for (unsigned k = 0; k < 4; k++) to[k] = node_at(l, f, i + 1 + k);
    at = table(l, to, 4);
    unsigned from = l->s->func[f].node[i].arg & 7;
    CODE(&l->c, 0x89, (u8)(0xc0 | from << 3), 0x83, 0xe0, 0x03); // mov eax, from; and eax, 3
    if (wide(l)) {
        CODE(&l->c, 0x4c, 0x8d, 0x1d); // lea r11, [table]
        put_rel(l, at);
        CODE(&l->c, 0x41, 0xff, 0x24, 0xc3); // jmp [r11 + rax * 8]
    } else {
        CODE(&l->c, 0xff, 0x24, 0x85); // jmp [eax * 4 + table]
        x86_put32(&l->c, (u32)l->code_va + at);
    }
}

// cmp, test, add, sub or nothing of some registers, then the jump.
static void put_jump(struct layout *l, unsigned f, unsigned i) {
    const struct node *n = &l->s->func[f].node[i];
    static const u8 lead[4] = {0x38, 0x84, 0x00, 0x28};
    unsigned how = n->to >> 8 & 7, regs = n->to & 0x3f, cond = n->arg & 15;
    u32 to = node_at(l, f, i + 1 + (n->arg >> 4 & 3));
    if (how >= 4 && (wide(l) || (regs & 7) != RBP) && (regs & 7) != RSP) {
        if (n->to >> 11 & 1) CODE(&l->c, 0x66);
        // Bytes are AL to BL only: the upper halves of others would be of the reserved.
        unsigned op = lead[how & 3] | (regs & 4 || n->to >> 12 & 1);
        CODE(&l->c, (u8)op, (u8)(0xc0 | regs));
    }
    i32 d = (i32)(to - (l->c.at + 2));
    if (n->arg >> 6 == 3 && n->to >> 13 < 3) {
        // loopne, loope, loop, jrcxz: near enough or to the next instruction
        CODE(&l->c, (u8)(0xe0 | (n->to >> 14)), (u8)(d >= 0 && d < 128 ? d : 0));
        return;
    }
    CODE(&l->c, 0x0f, (u8)(0x80 | cond));
    put_rel(l, to);
}

static void put_flags_change(struct layout *l, struct rng *r, unsigned reg) {
    u32 keep = FL_STATUS | FL_DF | (rng_below(r, 3) ? 0 : FL_AC | FL_ID | FL_NT);
    if (rng_below(r, 4) == 0) keep |= FL_TF;
    CODE(&l->c, (u8)(0x50 | reg), 0x81, 0x24, 0x24); // push reg; and dword [rsp], keep
    x86_put32(&l->c, keep);
    CODE(&l->c, 0x81, 0x0c, 0x24); // or
    x86_put32(&l->c, l->s->interrupts ? FL_IF | 2 : 2);
    CODE(&l->c, 0x9d);
}

static void put_stack(struct layout *l, const struct node *n, struct rng *r) {
    struct x86_code *c = &l->c;
    unsigned a = some_reg(l, r), b = some_reg(l, r);
    switch (n->arg) {
    case 0:
        CODE(c, (u8)(0x50 | a), (u8)(0x58 | b));
        break;
    case 1:
        CODE(c, 0x6a, (u8)n->to, 0x68, (u8)n->to, 1, 2, (u8)(0x80 | b));
        CODE(c, (u8)(0x58 | a), (u8)(0x58 | b));
        break;
    case 2:
        CODE(c, 0xff);
        put_memory(l, 6, X86_WINDOW + (n->to & 0x7f8), 0);
        CODE(c, 0x8f);
        put_memory(l, 0, X86_WINDOW + 64 + (n->to & 0x70), 0);
        break;
    case 3:
        CODE(c, 0x9c, (u8)(0x58 | a));
        break;
    case 4:
        put_flags_change(l, r, a);
        break;
    case 5:
        CODE(c, 0x66, (u8)(0x50 | a), 0x66, (u8)(0x58 | b));
        break;
    case 6:
        if (wide(l)) CODE(c, 0x48);
        CODE(c, 0x8d, 0x64, 0x24, 0xf0);             // lea rsp, [rsp - 16]
        CODE(c, 0x89, (u8)(0x44 | a << 3), 0x24, 8); // mov [rsp + 8], a
        CODE(c, 0x8b, (u8)(0x44 | b << 3), 0x24, 4); // mov b, [rsp + 4]
        if (wide(l)) CODE(c, 0x48);
        CODE(c, 0x8d, 0x64, 0x24, 0x10);
        break;
    case 7: // a frame; in 32-bit code ebp comes back with it
        CODE(c, 0xc8, 0x20, 0x00, (u8)(n->to & 1), 0x89, (u8)(0x45 | a << 3), 0xf8); // [rbp - 8]
        CODE(c, 0xc9);
        break;
    case 8:
        if (wide(l))
            CODE(c, 0x48, 0x83, 0xec, 8, 0x48, 0x83, 0xc4, 8);
        else
            CODE(c, 0x60, (u8)(0x40 | a), 0x61); // pusha; inc; popa
        break;
    default: // what it pops goes through the stack pointer
        CODE(c, (u8)(0x50 | a), 0xff, 0x34, 0x24, 0x8f, 0x04, 0x24, (u8)(0x58 | b));
        break;
    }
}

// rdi or rsi := window + offset
static void put_index(struct layout *l, unsigned reg, u32 off) {
    if (wide(l))
        CODE(&l->c, 0x49, 0x8d, (u8)(0x87 | reg << 3));
    else
        CODE(&l->c, 0x8d, (u8)(0x85 | reg << 3));
    x86_put32(&l->c, off);
}

static void put_string(struct layout *l, const struct node *n, struct rng *r) {
    static const u8 ops[] = {0xa4, 0xa6, 0xaa, 0xac, 0xae};
    struct x86_code *c = &l->c;
    u32 to = rng_below(r, 0x1c00), from = rng_below(r, 4) ? rng_below(r, 0x1c00) : to + n->arg % 16;
    if (rng_below(r, 16) == 0) to = 0x2000 - rng_below(r, 16); // into the read-only page
    put_index(l, RDI, to);
    put_index(l, RSI, from);
    CODE(c, 0xb9); // mov ecx
    x86_put32(c, rng_below(r, 8) ? rng_below(r, 24) : rng_below(r, 700));
    CODE(c, n->to & 7 ? 0xfc : 0xfd); // cld, std
    unsigned op = ops[n->to >> 3 & 7 ? (n->to >> 6) % 5 : 0], size = n->to >> 9 & 3;
    if (n->to & 0x800) CODE(c, n->to & 0x1000 ? 0xf2 : 0xf3);
    if (size == 1) CODE(c, 0x66);
    if (size == 3 && wide(l)) CODE(c, 0x48);
    CODE(c, (u8)(op | (size != 0)));
    CODE(c, 0xfc);
}

static void put_patch(struct layout *l, unsigned f, unsigned i) {
    const struct node *n = &l->s->func[f].node[i];
    unsigned pf = f, pi = i;
    if (!shape_find(l->s, N_SLOT, n->to, &pf, &pi)) return;
    u32 at = l->node[pf][pi] + 2 + (n->arg >> 1 & 3); // a byte of the immediate, or four
    bool alias = n->arg & 1, bytes = n->arg & 8;
    u32 shift = alias ? X86_ALIAS : 0;
    CODE(&l->c, bytes ? 0x80 : 0x81);
    put_memory(l, 6, at + shift, bytes ? 1 : 4); // xor
    if (bytes)
        CODE(&l->c, 0x11);
    else
        x86_put32(&l->c, n->arg & 16 ? 0x01 : 0x10);
    CODE(&l->c, 0xeb, 0x00); // a jump, as SDM 3A 9.1.3 asks for
}

// ---- what is not computation

static void mov_eax(struct layout *l, u32 v) {
    CODE(&l->c, 0xb8);
    x86_put32(&l->c, v);
}

static void wrmsr(struct layout *l, u32 msr) {
    CODE(&l->c, 0xb9);
    x86_put32(&l->c, msr);
    CODE(&l->c, 0x0f, 0x30);
}

// The timer, in so many nanoseconds.
static void put_timer(struct layout *l, u32 ns) {
    CODE(&l->c, 0x0f, 0x31, 0x05); // rdtsc; add eax, ns
    x86_put32(&l->c, ns);
    CODE(&l->c, 0x83, 0xd2, 0x00); // adc edx, 0
    wrmsr(l, 0x6e0);
}

// op reg, [window + off], with what the operation has before its ModRM.
#define AT_WINDOW(l, reg, off, ...)                                                                \
    (CODE(&(l)->c, __VA_ARGS__), put_memory(l, reg, X86_WINDOW + (off), 0))

// Accesses at the edges of what may be accessed.
static void put_edges(struct layout *l, unsigned v, struct rng *r) {
    u32 unmapped = X86_UNMAPPED - X86_WINDOW, ro = X86_READ_ONLY - X86_WINDOW;
    switch (v) {
    case 0:
        AT_WINDOW(l, 1, unmapped + 8 * rng_below(r, 4), 0x8b);
        break;
    case 1:
        AT_WINDOW(l, 2, ro + 16, 0x89);
        break;
    case 2: // half of it may be written, so nothing is
        AT_WINDOW(l, 0, ro - 3, 0x01);
        break;
    case 3: // half of it may be read
        AT_WINDOW(l, 1, unmapped - 2, 0x0b);
        break;
    case 4: // the same with 16 bytes
        AT_WINDOW(l, 1, unmapped - 8, 0x0f, 0x10);
        break;
    case 5: // no instructions there
        CODE(&l->c, 0xe8);
        put_rel(l, rng_below(r, 2) ? X86_UNMAPPED + 4 : X86_WINDOW + 0x100);
        break;
    default: // not canonical, or nothing there
        CODE(&l->c, 0x6a, 0x00);
        if (wide(l)) CODE(&l->c, 0x80, 0x74, 0x24, 0x07, (u8)(1 + rng_below(r, 255)));
        CODE(&l->c, 0xc3); // ret
        break;
    }
}

static void put_segment(struct layout *l, struct rng *r) {
    static const u8 sel[] = {
        0, X86_DATA_3, X86_DATA_3, X86_DATA_BASED, X86_DATA_SMALL, X86_DATA_ABSENT, X86_CODE64_3,
        3};
    static const u8 regs[] = {SEG_DS, SEG_ES, SEG_FS, SEG_GS};
    unsigned seg = regs[rng_below(r, 4)];
    mov_eax(l, sel[rng_below(r, ARRAY_LEN(sel))]);
    CODE(&l->c, 0x8e, (u8)(0xc0 | seg << 3));
    if (!wide(l) && rng_below(r, 2)) { // and back
        mov_eax(l, X86_DATA_3);
        CODE(&l->c, 0x8e, (u8)(0xc0 | seg << 3));
    }
}

// For CPL 0; elsewhere a #GP each.
static void put_privileged(struct layout *l, unsigned v, struct rng *r) {
    struct x86_code *c = &l->c;
    switch (v) {
    case 0:
        CODE(c, 0xfa);
        break;
    case 1:
    case 2:
        CODE(c, 0xfb);
        break;
    case 3:
        put_timer(l, rng_below(r, 20000));
        CODE(c, 0xfb, 0xf4, 0xfc); // sti; hlt
        break;
    case 4:
        put_timer(l, rng_below(r, 3000));
        break;
    case 5: // flush all: CR4.PGE changes
        CODE(c, 0x0f, 0x20, 0xe0, 0x34, 0x80, 0x0f, 0x22, 0xe0);
        break;
    case 6: // invlpg
        AT_WINDOW(l, 7, rng_below(r, 2) * X86_PAGE, 0x0f, 0x01);
        break;
    case 7: // CR3 as it is
        CODE(c, 0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
        break;
    case 8: // TS: the next vector instruction is #NM
        CODE(c, 0x0f, 0x20, 0xc0, 0x0c, 0x08, 0x0f, 0x22, 0xc0);
        break;
    case 9:                  // a breakpoint on a slot or the window
        CODE(c, 0x31, 0xc0); // the top of a 64-bit address is lost: then it does not hit
        mov_eax(l, rng_below(r, 2) ? (u32)l->code_va + l->c.at + 11 : X86_WINDOW + 64);
        CODE(c, 0x0f, 0x23, 0xc0); // dr0
        mov_eax(l, rng_below(r, 2) ? 0x1 : 0xf0001);
        CODE(c, 0x0f, 0x23, 0xf8); // dr7
        break;
    case 10:
        mov_eax(l, rng_below(r, 2) ? 0 : X86_WINDOW);
        CODE(c, 0x31, 0xd2);
        wrmsr(l, rng_below(r, 2) ? 0xc0000100 : 0xc0000101);
        break;
    default:
        CODE(c, 0x0f, 0x01, 0xf8); // swapgs, invalid in 32-bit code
        break;
    }
}

static void put_mxcsr(struct layout *l, u32 v) {
    CODE(&l->c, 0x68); // push
    x86_put32(&l->c, v);
    CODE(&l->c, 0x0f, 0xae, 0x14, 0x24, (u8)(0x58 | RAX));
}

// What has all of a vector or half of it beside operations on scalars: copies, merges, zeros,
// shuffles, memory below the stack.
static void put_moved_float(struct x86_code *c, bool dbl, u8 to, u8 from, struct rng *r) {
    u8 prefix = dbl ? 0xf2 : 0xf3, regs = (u8)(0xc0 | to << 3 | from);
    switch (rng_below(r, 7)) {
    case 0:
    case 1:
        CODE(c, 0x0f, 0x28, regs); // movaps
        break;
    case 2:
        CODE(c, prefix, 0x0f, 0x10, regs); // movss, movsd
        break;
    case 3:
        CODE(c, prefix, 0x0f, 0x11, (u8)(0x44 | to << 3), 0x24, 0xf0); // to [rsp - 16]
        CODE(c, prefix, 0x0f, 0x10, (u8)(0x44 | from << 3), 0x24, 0xf0);
        break;
    case 4:
        CODE(c, 0x0f, 0xc6, regs, (u8)rng_below(r, 256)); // shufps
        break;
    case 5:
        CODE(c, 0x66, 0x0f, 0xef, regs); // pxor
        break;
    default:
        CODE(c, 0x0f, 0x16, regs); // movlhps
        break;
    }
}

// On XMM0 to XMM3, so that what is denormal gets into what follows, also in other blocks.
static void put_floats(struct layout *l, const struct node *n, struct rng *r) {
    // Of a single or the upper half of a double: ordinary, next to the smallest normal, denormal.
    static const u32 values[2][8] = {
        {0x3fc00000, 0x3f7fffff, 0x3f000001, 0x20000000, 0x00800000, 0x80c00001, 0x00400000, 0},
        {0x3ff80000, 0x3fefffff, 0x3fe00001, 0x20000000, 0x00100000, 0x80180001, 0x00080000, 0}};
    static const u8 ops[] = {0x58, 0x59, 0x5c, 0x5e, 0x59, 0x58, 0x51, 0x2e};
    struct x86_code *c = &l->c;
    bool dbl = n->arg & 1;
    u8 to = (u8)rng_below(r, 4);
    if (n->arg < 48) put_mxcsr(l, n->arg & 2 ? 0x1fa0 : 0x1f80);
    if (n->arg & 4) {
        CODE(c, 0xb8);
        x86_put32(c, values[dbl][rng_below(r, 8)]);
        CODE(c, 0x66, 0x0f, 0x6e, (u8)(0xc0 | to << 3));         // movd
        if (dbl) CODE(c, 0x66, 0x0f, 0x73, (u8)(0xf0 | to), 32); // psllq
    }
    for (u32 k = 1 + rng_below(r, 4); k-- > 0;) {
        u8 op = ops[rng_below(r, 8)], x = (u8)rng_below(r, 4);
        bool compare = op == 0x2e;
        if (!rng_below(r, 4)) put_moved_float(c, dbl, to, x, r);
        if (!compare || dbl) CODE(c, (u8)(compare ? 0x66 : dbl ? 0xf2 : 0xf3));
        CODE(c, 0x0f, op, (u8)(0xc0 | to << 3 | x));
        if (rng_below(r, 2)) to = x;
    }
}

static void put_system(struct layout *l, const struct node *n, struct rng *r) {
    struct x86_code *c = &l->c;
    unsigned v = n->arg;
    if (v < 7) {
        put_edges(l, v, r);
        return;
    }
    if (v < 19) {
        put_privileged(l, v - 7, r);
        return;
    }
    switch (v) {
    case 19:
        CODE(c, 0x0f, 0x31); // rdtsc
        break;
    case 20:
        mov_eax(l, rng_below(r, 8));
        CODE(c, 0x31, 0xc9, 0x0f, 0xa2); // cpuid
        break;
    case 21:
        CODE(c, 0x0f, 0x01, 0xf9); // rdtscp
        break;
    case 22:
    case 23:
    case 24: // the other address space
        CODE(c, 0xcd, 0x80);
        break;
    case 25:
        CODE(c, 0xcc);
        break;
    case 26:
        CODE(c, 0x0f, 0x0b);
        break;
    case 27:
        CODE(c, 0xcd, (u8)(rng_below(r, 2) ? 0x81 : 0x31));
        break;
    case 28:
        CODE(c, 0x31, 0xc9, 0xf7, 0xf1); // a division by 0
        break;
    case 29:
    case 30:
        put_segment(l, r);
        break;
    case 31: // rounding and masks of SSE
        put_mxcsr(l, 0x1f80 ^
                         (rng_below(r, 2) ? (rng_below(r, 8) << 13) : 1u << (7 + rng_below(r, 6))));
        break;
    case 32:
        put_mxcsr(l, 0x1f80);
        break;
    case 33:
        CODE(c, 0xdb, 0xe3); // fninit
        break;
    case 34:
        AT_WINDOW(l, 0, 0x400, 0x0f, 0xae); // fxsave
        AT_WINDOW(l, 1, 0x400, 0x0f, 0xae); // fxrstor
        break;
    case 35: // the device: reads, and what may raise the interrupt or an NMI
        CODE(c, (u8)(0xb8 | RDI));
        x86_put32(c, PROGRAM_MMIO + rng_below(r, 4) * 8);
        CODE(c, rng_below(r, 2) ? 0x8b : 0x89, 0x07);
        break;
    case 36:
        if (wide(l) || l->s->user) CODE(c, 0x0f, 0x05); // syscall
        break;
    case 37:
        CODE(c, 0xec, 0xef); // in al, dx; out dx, eax
        break;
    case 38:
        if (wide(l))
            AT_WINDOW(l, 1, 0x200, 0xf0, 0x48, 0x0f, 0xc7); // lock cmpxchg16b
        else
            AT_WINDOW(l, 1, 0x205, 0xf0, 0x0f, 0xc7);
        break;
    default:
        AT_WINDOW(l, 0, X86_PAGE - 3, 0xf0, 0x0f, 0xc1); // lock xadd across the pages
        break;
    }
}

static void put_edge(struct layout *l, bool at_start, struct rng *r) {
    u32 to = (l->c.at | (X86_PAGE - 1)) + 1 - (at_start ? 0 : 1 + rng_below(r, 3));
    if (to < l->c.at + 5 || to >= X86_CODE_END) return;
    CODE(&l->c, 0xe9);
    put_rel(l, to);
    l->c.at = to;
}

static void put_count(struct layout *l, const struct node *n) {
    if (wide(l))
        CODE(&l->c, 0x41, (u8)(0xbd + (n->arg & 1))); // mov r13d or r14d
    else
        CODE(&l->c, 0xc7, 0x85); // mov dword [ebp + ...]
    if (!wide(l)) x86_put32(&l->c, X86_COUNTERS + 4 * (n->arg & 1));
    x86_put32(&l->c, n->to);
}

static void put_back(struct layout *l, unsigned f, unsigned i) {
    const struct node *n = &l->s->func[f].node[i];
    bool sub = n->arg & 2;
    u32 to = l->node[f][i > n->to ? i - n->to : 0];
    if (wide(l) && sub)
        CODE(&l->c, 0x41, 0x83, (u8)(0xed + (n->arg & 1)), 0x01);
    else if (wide(l))
        CODE(&l->c, 0x41, 0xff, (u8)(0xcd + (n->arg & 1)));
    else
        CODE(&l->c, (u8)(sub ? 0x83 : 0xff), (u8)(sub ? 0xad : 0x8d));
    if (!wide(l)) x86_put32(&l->c, X86_COUNTERS + 4 * (n->arg & 1));
    if (!wide(l) && sub) CODE(&l->c, 0x01);
    CODE(&l->c, 0x0f, 0x8f); // greater, so that a counter that was not set does not count for ever
    put_rel(l, to);
}

static void put_node(struct layout *l, unsigned f, unsigned i) {
    const struct node *n = &l->s->func[f].node[i];
    struct rng r = {l->s->seed * 977 + f * 131 + n->to};
    switch (n->kind) {
    case N_ITEM:
        put_item(l, &n->x86);
        break;
    case N_COUNT:
        put_count(l, n);
        break;
    case N_BACK:
        put_back(l, f, i);
        break;
    case N_CALL:
        put_call(l, n, &r);
        break;
    case N_SWITCH:
        put_switch(l, f, i);
        break;
    case N_JUMP:
        put_jump(l, f, i);
        break;
    case N_STACK:
        put_stack(l, n, &r);
        break;
    case N_STRING:
        put_string(l, n, &r);
        break;
    case N_PATCH:
        put_patch(l, f, i);
        break;
    case N_SLOT:
        CODE(&l->c, 0x81, (u8)(0xc0 | some_reg(l, &r)));
        x86_put32(&l->c, 5);
        break;
    case N_SYSTEM:
        put_system(l, n, &r);
        break;
    case N_FLOATS:
        put_floats(l, n, &r);
        break;
    default:
        put_edge(l, n->arg, &r);
        break;
    }
}

static void put_func(struct layout *l, unsigned f) {
    const struct shape_func *p = &l->s->func[f];
    l->func[f] = l->c.at;
    mark(l);
    if (!p->leaf) CODE(&l->c, 0x53, 0x56); // push rbx; push rsi
    for (unsigned i = 0; i < p->n; i++) {
        l->node[f][i] = l->c.at;
        mark(l);
        put_node(l, f, i);
    }
    l->node[f][p->n] = l->c.at;
    mark(l);
    if (!p->leaf) CODE(&l->c, 0x5e, 0x5b);
    mark(l);
    CODE(&l->c, 0xc3);
}

// Calls every function, for ever. A jump to nowhere is resumed here, so the stack starts anew.
static void put_main(struct layout *l) {
    u32 start = l->c.at;
    struct rng r = {l->s->seed};
    mark(l);
    CODE(&l->c, 0xbc); // mov esp
    x86_put32(&l->c, X86_STACK);
    if (wide(l)) CODE(&l->c, 0x41); // mov r15d, mov ebp
    CODE(&l->c, wide(l) ? 0xbf : 0xbd);
    x86_put32(&l->c, X86_WINDOW);
    CODE(&l->c, 0xfc);
    for (unsigned f = 0; f < l->s->nfuncs; f++) {
        struct node n = {.kind = N_CALL, .arg = (u8)(f % 3), .to = (u16)f};
        mark(l);
        put_call(l, &n, &r);
    }
    mark(l);
    CODE(&l->c, 0xe9);
    put_rel(l, start);
}

static void put_resume(const struct layout *l) {
    u32 next = 0; // the start
    for (u32 i = X86_CODE_END - X86_CODE; i-- > 0;) {
        put_le16(l->c.ram + X86_RESUME + 2 * i, (u16)next);
        if (l->starts[i / 8] >> i % 8 & 1) next = i;
    }
}

static void set_start(struct layout *l, struct program *p, struct rng *r) {
    const struct shape *s = l->s;
    u64 *g = p->reg;
    x86_system(s, p, r);
    for (unsigned i = 0; i < 16; i++) {
        u64 v = rng_next(r) >> rng_below(r, 64);
        g[XREG_R + i] = s->bits32 ? (i < 8 ? (u32)v : 0) : v;
    }
    for (unsigned i = 0; i < 32; i++) // integers, doubles near 1, pairs of singles
        g[XREG_X + i] = (rng_next(r) & 0x80ffffff80ffffff) + 0x3f0000003f000000;
    g[XREG_R + RSP] = X86_STACK;
    g[XREG_R + 13] = g[XREG_R + 14] = 0;
    g[XREG_PC] = l->code_va + X86_CODE;
    g[XREG_GS_BASE] = s->bits32 ? 0 : X86_PAGE;
    g[XREG_FLAGS] = s->interrupts ? FL_IF : 0;
    put_le64(p->ram + X86_CODE_VA, g[XREG_PC]);
    put_le64(p->ram + X86_MAIN_VA, g[XREG_PC]);
}

static bool shape_build(const struct shape *s, struct program *out) {
    struct layout l = {.s = s};
    struct rng r = {s->seed ^ 0x5555};
    if (!program_init(out, &program_x86_64, 0, X86_RAM)) return false;
    l.code_va = s->high ? X86_HIGH : s->moved ? X86_LOW : 0;
    for (unsigned pass = 0; pass < 2; pass++) { // the second knows all addresses
        l.c = (struct x86_code){out->ram, X86_CODE, X86_CODE_END, false};
        l.tables = X86_TABLES;
        memset(out->ram + X86_CODE, 0xcc, X86_CODE_END - X86_CODE);
        memset(l.starts, 0, sizeof l.starts);
        put_main(&l);
        for (unsigned f = 0; f < s->nfuncs; f++) put_func(&l, f);
        CODE(&l.c, 0xe9); // where a fault in the last function may go on
        put_rel(&l, X86_CODE);
    }
    put_resume(&l);
    out->code = X86_CODE;
    out->code_end = (l.c.at + 15) & ~15u;
    memset(out->ram + out->code_end, 0, X86_CODE_END - out->code_end);
    out->line = s->interrupts ? 1 + rng_below(&r, 20) : 0;
    out->nfill = 2;
    out->fill[0].at = X86_WINDOW;
    out->fill[1].at = X86_WINDOW_B;
    for (unsigned i = 0; i < 2; i++) {
        out->fill[i].len = 2 * X86_PAGE;
        out->fill[i].seed = s->seed + i;
    }
    set_start(&l, out, &r);
    return true;
}

const struct shape_maker shape_x86_64 = {"x86_64", shape_random, shape_build};
