// The system around random x86_64 programs: descriptors, gates, page tables, and one handler for
// everything, in 64-bit code. It adds up what it sees. After a fault the program goes on behind the
// node that faulted, after a jump to nowhere at its start; a debug exception clears the breakpoints
// and, one time in four, TF; #NM clears TS; int 0x80 changes the address space; an interrupt arms
// the timer again.
#include "base/buf.h"
#include "base/compiler.h"
#include "guest/x86_64/state.h"
#include "x86.h"

void x86_put(struct x86_code *c, const void *bytes, unsigned n) {
    if (c->at + n > c->end) {
        c->full = true;
        return;
    }
    memcpy(c->ram + c->at, bytes, n);
    c->at += n;
}

void x86_put32(struct x86_code *c, u32 v) {
    u8 b[4];
    put_le32(b, v);
    x86_put(c, b, 4);
}

// ---- the handler

enum { RAX_, RCX_, RDX_ };

// reg := or =: the 8 bytes at a fixed address.
static void load(struct x86_code *c, unsigned reg, u32 at) {
    CODE(c, 0x48, 0x8b, (u8)(4 | reg << 3), 0x25);
    x86_put32(c, at);
}

static void store(struct x86_code *c, unsigned reg, u32 at) {
    CODE(c, 0x48, 0x89, (u8)(4 | reg << 3), 0x25);
    x86_put32(c, at);
}

// A jump forward, to where land() is called.
static u32 jump_if(struct x86_code *c, unsigned cond) {
    CODE(c, 0x0f, (u8)(0x80 | cond), 0, 0, 0, 0);
    return c->at;
}

static u32 jump(struct x86_code *c) {
    CODE(c, 0xe9, 0, 0, 0, 0);
    return c->at;
}

static void land(struct x86_code *c, u32 from) { put_le32(c->ram + from - 4, c->at - from); }

enum { CC_AE = 3, CC_E = 4, CC_NE = 5 };

static u32 when(struct x86_code *c, u32 vector) { // cmp eax, vector; je
    CODE(c, 0x3d);
    x86_put32(c, vector);
    return jump_if(c, CC_E);
}

static void set_ip(struct x86_code *c) { CODE(c, 0x48, 0x89, 0x44, 0x24, 0x28); }

// The stack: rdx, rcx, rax, vector, error code, rip, cs, rflags, rsp, ss.
static void put_common(struct x86_code *c) {
    u32 out[8];
    unsigned n = 0;
    CODE(c, 0x50, 0x51, 0x52);
    CODE(c, 0x48, 0x8b, 0x44, 0x24, 0x18); // mov rax, [rsp + 24]
    load(c, RCX_, X86_SUM);
    CODE(c, 0x48, 0x01, 0xc1);                   // add rcx, rax
    CODE(c, 0x48, 0x33, 0x4c, 0x24, 0x20);       // xor rcx, [rsp + 32]
    CODE(c, 0x0f, 0x20, 0xd2, 0x48, 0x31, 0xd1); // mov rdx, cr2; xor rcx, rdx
    CODE(c, 0x48, 0x33, 0x4c, 0x24, 0x28);       // xor rcx, [rsp + 40]
    CODE(c, 0x48, 0xc1, 0xc9, 0x07);             // ror rcx, 7
    store(c, RCX_, X86_SUM);
    u32 debug = when(c, EXC_DB), fpu = when(c, EXC_NM), service = when(c, 0x80);
    out[n++] = when(c, EXC_NMI);
    CODE(c, 0x83, 0xf8, 0x20); // cmp eax, 32
    u32 irq = jump_if(c, CC_AE);

    CODE(c, 0x48, 0x8b, 0x44, 0x24, 0x28); // a fault: mov rax, [rsp + 40]
    load(c, RDX_, X86_CODE_VA);
    CODE(c, 0x48, 0x29, 0xd0, 0x48, 0x3d); // sub rax, rdx; cmp rax, size
    x86_put32(c, X86_CODE_END - X86_CODE);
    u32 restart = jump_if(c, CC_AE);
    CODE(c, 0x0f, 0xb7, 0x0c, 0x45); // movzx ecx, word [rax * 2 + table]
    x86_put32(c, X86_RESUME);
    CODE(c, 0x48, 0x8d, 0x04, 0x0a); // lea rax, [rdx + rcx]
    set_ip(c);
    out[n++] = jump(c);

    land(c, restart);
    load(c, RAX_, X86_MAIN_VA);
    set_ip(c);
    load(c, RAX_, X86_TOP);
    CODE(c, 0x48, 0x89, 0x44, 0x24, 0x40); // mov [rsp + 64], rax
    out[n++] = jump(c);

    land(c, debug);
    CODE(c, 0xf6, 0xc1, 0x03, 0x75, 0x09);                         // test cl, 3; jne
    CODE(c, 0x48, 0x81, 0x64, 0x24, 0x38, 0xff, 0xfe, 0xff, 0xff); // and qword [rsp + 56], ~TF
    CODE(c, 0x80, 0x4c, 0x24, 0x3a, 0x01);                         // or byte [rsp + 58], RF
    CODE(c, 0x31, 0xc0, 0x0f, 0x23, 0xf8, 0x0f, 0x23, 0xf0);       // dr7 = dr6 = 0
    out[n++] = jump(c);

    land(c, fpu);
    CODE(c, 0x0f, 0x06); // clts
    out[n++] = jump(c);

    land(c, service);
    CODE(c, 0x0f, 0x20, 0xd8); // mov rax, cr3
    load(c, RDX_, X86_CR3_A);
    CODE(c, 0x48, 0x39, 0xd0, 0x75, 0x08); // cmp rax, rdx; jne
    load(c, RDX_, X86_CR3_B);
    CODE(c, 0x0f, 0x22, 0xda); // mov cr3, rdx
    out[n++] = jump(c);

    land(c, irq);
    CODE(c, 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0); // rdtsc to rax
    load(c, RCX_, X86_SUM);
    CODE(c, 0x81, 0xe1, 0xff, 0x3f, 0x00, 0x00); // and ecx, 0x3fff
    CODE(c, 0x48, 0x01, 0xc8, 0x48, 0x89, 0xc2, 0x48, 0xc1, 0xea, 0x20);
    CODE(c, 0xb9, 0xe0, 0x06, 0x00, 0x00, 0x0f, 0x30); // deadline := rdx:rax
    CODE(c, 0x89, 0x04, 0x25);                         // mov [device], eax
    x86_put32(c, PROGRAM_MMIO + X86_ALIAS);
    for (unsigned i = 0; i < n; i++) land(c, out[i]);
    CODE(c, 0x5a, 0x59, 0x58, 0x48, 0x83, 0xc4, 0x10, 0x48, 0xcf); // add rsp, 16; iretq
}

static bool has_code(unsigned v) { return v == 8 || (v >= 10 && v <= 14) || v == 17; }

static u32 put_gates(const struct shape *s, struct program *p, struct x86_code *c) {
    u32 common = c->at;
    put_common(c);
    for (unsigned v = 0; v <= 0x80; v++) {
        if (v >= 0x30 && v < 0x80) continue; // not present
        u32 at = c->at;
        if (!has_code(v)) CODE(c, 0x6a, 0x00);
        CODE(c, 0x68);
        x86_put32(c, v);
        CODE(c, 0xe9);
        x86_put32(c, common - (c->at + 4));
        unsigned stack = s->ist ? 1 : 0, dpl = v == 3 || v == 4 || v == 0x80 ? 3 : 0;
        if (v == EXC_NMI) stack = 2;
        if (v == EXC_DF || v == EXC_SS || v == EXC_PF) stack = 3;
        u64 gate = at | (u64)X86_CODE64_0 << 16 | (u64)stack << 32 | (u64)(0x8e | dpl << 5) << 40;
        put_le64(p->ram + X86_IDT + 16 * v, gate);
    }
    return common;
}

// Counts a system call. Every fourth returns to where a fault of the next instruction would.
static void count_call(struct x86_code *c) {
    CODE(c, 0x48, 0xff, 0x04, 0x25); // inc qword [calls]
    x86_put32(c, X86_CALLS);
    CODE(c, 0xf6, 0x04, 0x25); // test byte [calls], 3
    x86_put32(c, X86_CALLS);
    CODE(c, 0x03);
    u32 usual = jump_if(c, CC_NE);
    CODE(c, 0x48, 0x2b, 0x0c, 0x25); // sub rcx, [where the code is]
    x86_put32(c, X86_CODE_VA);
    CODE(c, 0x48, 0x81, 0xf9); // cmp rcx, size
    x86_put32(c, X86_CODE_END - X86_CODE);
    u32 outside = jump_if(c, CC_AE);
    CODE(c, 0x0f, 0xb7, 0x0c, 0x4d); // movzx ecx, word [rcx * 2 + table]
    x86_put32(c, X86_RESUME);
    land(c, outside);
    CODE(c, 0x48, 0x03, 0x0c, 0x25); // add rcx, [where the code is]
    x86_put32(c, X86_CODE_VA);
    land(c, usual);
}

// Where SYSCALL goes: returns at once.
static void put_syscall(const struct shape *s, struct program *p, struct x86_code *c) {
    p->reg[XREG_LSTAR] = c->at;
    count_call(c);
    if (s->user)
        CODE(c, 0x48, 0x0f, 0x07); // sysretq
    else
        CODE(c, 0x41, 0x53, 0x9d, 0xff, 0xe1); // push r11; popf; jmp rcx
    p->reg[XREG_CSTAR] = c->at;
    count_call(c);
    CODE(c, 0x0f, 0x07); // sysretl
    p->reg[XREG_STAR] = (u64)(X86_CODE32_3) << 48 | (u64)X86_CODE64_0 << 32;
    p->reg[XREG_FMASK] = FL_TF | FL_IF | FL_DF | FL_NT | FL_AC;
}

static void put_descriptors(struct program *p) {
    static const struct {
        u8 sel;
        u64 desc;
    } list[] = {{X86_CODE64_0, 0x00af9b000000ffff},      {X86_DATA_0, 0x00cf93000000ffff},
                {X86_CODE32_3 & ~3, 0x00cffb000000ffff}, {X86_DATA_3 & ~3, 0x00cff3000000ffff},
                {X86_CODE64_3 & ~3, 0x00affb000000ffff}, {X86_CODE32_0, 0x00cf9b000000ffff},
                {X86_TASK, 0x00008b0028000067},          {X86_DATA_BASED, 0x00cff3000010ffff},
                {X86_DATA_SMALL, 0x0040f30000008fff},    {X86_DATA_ABSENT, 0x00cf73000000ffff}};
    for (unsigned i = 0; i < ARRAY_LEN(list); i++)
        put_le64(p->ram + X86_GDT + list[i].sel, list[i].desc);
    put_le64(p->ram + X86_TSS + 4, X86_SAVE + 0x1000);
    for (unsigned i = 0; i < 3; i++)
        put_le64(p->ram + X86_TSS + 36 + 8 * i, X86_SAVE + 0x400 + 0x400 * i);
    put_le16(p->ram + X86_TSS + 102, 0xffff); // no ports for users
}

// ---- page tables

enum { P = 1, W = 2, U = 4, PTE_A = 32, PTE_D = 64, PS = 128, G = 256 };
#define NX ((u64)1 << 63)

static u64 flags_of(const struct shape *s, u32 at, struct rng *r) {
    u64 u = s->user ? U : 0, f = P | PTE_A | PTE_D;
    if (at == 0 || at == X86_UNMAPPED) return 0;
    if (at == X86_HANDLERS) return f | G;
    if (at < X86_STACK - X86_STACK % X86_PAGE - 2 * X86_PAGE) return f | W | NX | G;
    if (at == X86_READ_ONLY || at == X86_TABLES) return f | u | NX;
    if (at >= X86_CODE && at < X86_CODE_END) return f | W | u;
    if (at >= X86_RESUME && at < X86_WINDOW_B) return f | NX;
    if (at >= X86_ROOT_A) return f | NX; // changes without a flush would show in some engines
    // Accessed and dirty are for the walk to set in some.
    f = P | W | u | NX;
    return f | (rng_below(r, 2) ? PTE_A | PTE_D : rng_below(r, 2) ? PTE_A : 0);
}

static void address_space(struct program *p, const struct shape *s, u32 root, bool second,
                          struct rng *r) {
    u32 pdpt = root + X86_PAGE, pd = root + 2 * X86_PAGE, pt = root + 3 * X86_PAGE;
    u8 *m = p->ram;
    put_le64(m + root, pdpt | P | W | U);
    put_le64(m + root + 8 * 511, pdpt | P | W | U | PTE_A);
    put_le64(m + pdpt, pd | P | W | U);
    put_le64(m + pdpt + 8, pd | P | W | U);
    put_le64(m + pdpt + 8 * 510, pd | P | W | U);
    put_le64(m + pd, pt | P | W | U);
    u64 own = s->user ? U : 0;
    put_le64(m + pd + 8, P | W | PS | own | NX);
    put_le64(m + pd + 8 * (PROGRAM_MMIO >> 21), PROGRAM_MMIO | P | W | PS | own | NX);
    put_le64(m + pd + 8 * (PROGRAM_MMIO >> 21) + 8, PROGRAM_MMIO | P | W | PS | NX);
    for (u32 at = 0; at < X86_RAM; at += X86_PAGE) {
        u32 pa = at;
        if (second && (at == X86_WINDOW || at == X86_WINDOW + X86_PAGE))
            pa += X86_WINDOW_B - X86_WINDOW;
        u64 f = flags_of(s, at, r);
        put_le64(m + pt + 8 * (at / X86_PAGE), f ? pa | f : 0);
    }
}

void x86_system(const struct shape *s, struct program *p, struct rng *r) {
    struct x86_code c = {p->ram, X86_HANDLERS, X86_HANDLERS + X86_PAGE, false};
    put_gates(s, p, &c);
    put_syscall(s, p, &c);
    put_descriptors(p);
    address_space(p, s, X86_ROOT_A, false, r);
    address_space(p, s, X86_ROOT_B, true, r);
    u64 *g = p->reg;
    g[XREG_GDT] = X86_GDT, g[XREG_GDT_LIMIT] = 0x67;
    g[XREG_IDT] = X86_IDT, g[XREG_IDT_LIMIT] = 16 * 0x81 - 1;
    g[XREG_TR] = X86_TASK;
    g[XREG_CR0] = CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | (s->seed & 1 ? CR0_AM : 0);
    g[XREG_CR4] = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_OSXSAVE | CR4_FSGSBASE |
                  (s->pcid ? CR4_PCIDE : 0) | (rng_below(r, 2) ? CR4_PGE : 0) |
                  (s->user && rng_below(r, 2) ? CR4_SMEP | CR4_SMAP : 0);
    g[XREG_EFER] = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    g[XREG_CR3] = X86_ROOT_A | (s->pcid ? 1 : 0);
    put_le64(p->ram + X86_CR3_A, g[XREG_CR3]);
    put_le64(p->ram + X86_CR3_B, X86_ROOT_B | (s->pcid ? 2 | (u64)rng_below(r, 2) << 63 : 0));
    put_le64(p->ram + X86_TOP, X86_STACK);
    if (s->user) {
        g[XREG_CS] = s->bits32 ? X86_CODE32_3 : X86_CODE64_3;
        g[XREG_SS] = g[XREG_DS] = g[XREG_ES] = X86_DATA_3;
    } else {
        g[XREG_CS] = s->bits32 ? X86_CODE32_0 : X86_CODE64_0;
        g[XREG_SS] = g[XREG_DS] = g[XREG_ES] = X86_DATA_0;
    }
}
