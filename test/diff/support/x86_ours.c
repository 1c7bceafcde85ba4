// Our CPU with the address space of x86_case.h: 4-level paging, the case at CPL 3, and an IDT whose
// handlers halt, so that what a case came to is found as a real exception frame on a real stack.
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "exec/engine.h"
#include "guest/x86_64/x87.h"
#include "support/x86_case.h"

enum {
    PML4 = 0x1000,
    PDPT = 0x2000,
    PD = 0x3000,
    PT_CODE = 0x4000,
    PT_WINDOW = 0x5000,
    PDPT_HIGH = 0x6000,
    PD_HIGH = 0x7000,
    PT_HIGH = 0x8000,
    IDT = 0x9000,
    GDT = 0xa000,
    TSS = 0xa800,
    HANDLERS = 0xb000,
    STACK = 0xc000, // top at +0x1000
    CODE = 0x10000,
    WINDOW = 0x12000,
    RAM = 0x20000,
};
#define HIGH 0xffff800000000000u // physical memory from 0 on, for the kernel

struct x86_ours {
    struct bus *bus;
    struct cpu *cpu;
    struct cpu_board board;
    u8 *ram;
};

static u64 time_ns(void *arg) {
    (void)arg;
    return 0;
}

static void map_page(u8 *ram, u32 pt, u64 va, u64 pa, u64 bits) {
    put_le64(ram + pt + (va >> 12 & 511) * 8, pa | bits);
}

static void make_tables(u8 *ram) {
    const u64 user = 7, nx = (u64)1 << 63;
    put_le64(ram + PML4, PDPT | user);
    put_le64(ram + PML4 + 256 * 8, PDPT_HIGH | 3);
    put_le64(ram + PDPT, PD | user);
    put_le64(ram + PD + (X86_CODE_AT >> 21) * 8, PT_CODE | user);
    put_le64(ram + PD + (X86_WINDOW_AT >> 21) * 8, PT_WINDOW | user);
    put_le64(ram + PDPT_HIGH, PD_HIGH | 3);
    put_le64(ram + PD_HIGH, PT_HIGH | 3);
    for (u32 i = 0; i < RAM / 4096; i++) map_page(ram, PT_HIGH, i * 4096, i * 4096, 3);
    for (u32 i = 0; i < 2; i++) map_page(ram, PT_CODE, X86_CODE_AT + i * 4096, CODE + i * 4096, 5);
    for (u32 i = 0; i < 3; i++)
        map_page(ram, PT_WINDOW, X86_WINDOW_AT + i * 4096, WINDOW + i * 4096, nx | (i < 2 ? 7 : 5));
    put_le64(ram + GDT + 0x10, 0x00af9b000000ffff); // kernel code
    put_le64(ram + GDT + 0x28, 0x00cff3000000ffff); // user data, as Linux has them
    put_le64(ram + GDT + 0x30, 0x00affb000000ffff);
    put_le64(ram + GDT + 0x20, 0x00cffb000000ffff);
    put_le16(ram + TSS + 102, 0xffff);              // no I/O permission bitmap
    put_le64(ram + TSS + 4, HIGH + STACK + 0x1000); // RSP0
    for (u64 v = 0; v < 32; v++) {
        u64 h = HIGH + HANDLERS + v * 16;
        put_le64(ram + IDT + v * 16,
                 (h & 0xffff) | 0x10u << 16 | (u64)0xee00 << 32 | (h >> 16 & 0xffff) << 48);
        put_le64(ram + IDT + v * 16 + 8, h >> 32);
        ram[HANDLERS + v * 16] = 0xf4; // hlt
    }
    memset(ram + CODE, 0xcc, 8192);
}

struct x86_ours *x86_ours_create(const struct cpu_settings *set) {
    struct err err;
    struct x86_ours *o = calloc(1, sizeof *o);
    o->board = (struct cpu_board){.arg = o, .time_ns = time_ns};
    o->bus = bus_create(0, RAM, &err);
    o->cpu = cpu_create(&guest_x86_64, o->bus, &o->board, set, &err);
    o->ram = bus_ram_ptr(o->bus, 0, RAM);
    make_tables(o->ram);
    return o;
}

void x86_ours_destroy(struct x86_ours *o) {
    cpu_destroy(o->cpu);
    bus_destroy(o->bus);
    free(o);
}

static void user_mode(struct x86_state *s, bool bits32) {
    s->cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_NE | CR0_ET | CR0_MP | CR0_AM;
    s->cr3 = PML4;
    s->cr4 = CR4_PAE | CR4_FSGSBASE | CR4_OSFXSR | CR4_OSXSAVE | CR4_OSXMMEXCPT | CR4_UMIP;
    s->xcr0 = 7;
    s->efer = EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
    s->gdt = (struct x86_table){HIGH + GDT, 0x37};
    s->idt = (struct x86_table){HIGH + IDT, 32 * 16 - 1};
    s->tr = (struct x86_seg){0x38, 0x8b, 0x67};
    s->tr_base = HIGH + TSS;
    for (unsigned i = 0; i < 6; i++) x86_null_seg(s, i, 0);
    x86_set_flat_seg(s, SEG_DS, 0x2b, 0xf3 | SEGA_G | SEGA_DB);
    x86_set_flat_seg(s, SEG_ES, 0x2b, 0xf3 | SEGA_G | SEGA_DB);
    x86_set_flat_seg(s, SEG_SS, 0x2b, 0xf3 | SEGA_G | SEGA_DB);
    x86_set_flat_seg(s, SEG_CS, bits32 ? 0x23 : 0x33, 0xfb | SEGA_G | (bits32 ? SEGA_DB : SEGA_L));
    s->cpl = 3;
    x86_update_mode(s);
}

static void put_fpu(struct x86_state *s, const struct x86_fpu *f) {
    s->fpu_cw = f->cw;
    x87_set_status(s, f->sw);
    s->fpu_tag = f->tag;
    for (unsigned i = 0; i < 8; i++) {
        s->mm[x87_phys(s, i)] = f->sig[i];
        s->st_exp[x87_phys(s, i)] = f->se[i];
    }
}

static void get_fpu(const struct x86_state *s, struct x86_fpu *f) {
    memset(f, 0, sizeof *f);
    f->cw = (u16)s->fpu_cw;
    f->sw = (u16)x87_status(s);
    f->tag = (u8)s->fpu_tag;
    for (unsigned i = 0; i < 8; i++) {
        f->sig[i] = x87_get(s, i).sig;
        f->se[i] = x87_get(s, i).se;
    }
}

void x86_ours_run(struct x86_ours *o, const struct x86_case *c, struct x86_result *out) {
    struct x86_state *s = x86_of(o->cpu->s);
    u32 off = c->at - X86_CODE_AT;
    user_mode(s, c->bits32);
    memcpy(s->r, c->r, sizeof s->r);
    s->eflags = FL_IF | 2;
    s->df = c->flags & FL_DF ? ~(u64)0 : 1;
    x86_set_status_flags(s, c->flags);
    s->seg_base[SEG_GS] = c->gs;
    for (unsigned i = 0; i < 16; i++) {
        memcpy(&s->x[i], c->x[i], 16);
        memcpy(&s->yh[i], c->x[i] + 2, 16);
    }
    put_fpu(s, &c->fpu);
    x86_set_mxcsr(s, c->mxcsr);
    s->g.pc = c->at;
    s->g.idle = false;
    s->cr2 = 0;
    bus_write(o->bus, CODE + off, c->code, c->len);
    bus_write(o->bus, WINDOW + (c->mem - X86_WINDOW_AT), c->mem_bytes, X86_SPAN);
    for (unsigned i = 0; i < 100 && cpu_run(o->cpu, 10000) != CPU_STOP_IDLE; i++) continue;
    memset(out, 0, sizeof *out);
    u64 h = s->g.pc - HIGH - HANDLERS;
    out->vector = h < 512 && s->g.idle ? (u32)(h / 16) : 254;
    const u8 *frame = o->ram + (s->r[RSP] - HIGH) % RAM;
    bool code = STACK + 0x1000 - (s->r[RSP] - HIGH) == 48;
    if (code) out->code = (u32)get_le64(frame);
    if (code) frame += 8;
    memcpy(out->r, s->r, sizeof out->r);
    out->ip = get_le64(frame);
    out->flags = get_le64(frame + 16);
    out->r[RSP] = get_le64(frame + 24);
    out->cr2 = s->cr2;
    out->gs = s->seg_base[SEG_GS];
    for (unsigned i = 0; i < 16; i++) {
        memcpy(out->x[i], &s->x[i], 16);
        memcpy(out->x[i] + 2, &s->yh[i], 16);
    }
    get_fpu(s, &out->fpu);
    out->mxcsr = (u32)s->mxcsr;
    memcpy(out->mem_bytes, o->ram + WINDOW + (c->mem - X86_WINDOW_AT), X86_SPAN);
    u8 fill[32];
    memset(fill, 0xcc, sizeof fill);
    bus_write(o->bus, CODE + off, fill, c->len);
}

u64 x86_ours_first(const struct x86_ours *o) { return o->cpu->stats.insns_first; }
