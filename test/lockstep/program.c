// Programs: their text form, and the smallest machine that runs them.
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"
#include "guest/riscv64/state.h"

extern const struct guest_arch guest_riscv64;

static const char *const reg_names[REG_X] = {"pc",      "priv", "satp",     "stvec", "sscratch",
                                             "sstatus", "sie",  "stimecmp", "frm"};

bool program_init(struct program *p, gpa base, u64 size) {
    *p = (struct program){
        .base = base, .size = size, .insns = 10000, .chunk_lo = 1, .chunk_hi = 300};
    p->ram = calloc(1, size);
    p->reg[REG_PRIV] = PRIV_S;
    p->reg[REG_STIMECMP] = ~(u64)0;
    return p->ram != NULL;
}

void program_free(struct program *p) {
    free(p->ram);
    p->ram = NULL;
}

// ---- text

static void reg_name(unsigned i, char *buf, size_t cap) {
    if (i < REG_X)
        snprintf(buf, cap, "%s", reg_names[i]);
    else
        snprintf(buf, cap, "%c%u", i < REG_F ? 'x' : 'f', (i - REG_X) % 32);
}

static int reg_named(const char *s) {
    char name[16];
    for (unsigned i = 0; i < PROGRAM_REGS; i++) {
        reg_name(i, name, sizeof name);
        if (strcmp(name, s) == 0) return (int)i;
    }
    return -1;
}

static bool parse_bytes(struct program *p, gpa at, const char *s) {
    unsigned v;
    for (int used; sscanf(s, " %2x%n", &v, &used) == 1; s += used, at++) {
        if (!p->ram || at < p->base || at - p->base >= p->size) return false;
        p->ram[at - p->base] = (u8)v;
    }
    return s[strspn(s, " ")] == 0;
}

static bool parse_line(struct program *p, char *s) {
    unsigned long long a, b, c;
    char name[32];
    int used = 0;
    s[strcspn(s, "#")] = 0;
    for (size_t n = strlen(s); n && strchr(" \t\r", s[n - 1]);) s[--n] = 0;
    if (!*s) return true;
    if (sscanf(s, "ram %llx %llx", &a, &b) == 2)
        return !p->ram && b >= 4096 && b <= 64 << 20 && b % 4096 == 0 && a % 4096 == 0 &&
               program_init(p, a, b);
    if (!p->ram) return false;
    if (sscanf(s, "insns %llu", &a) == 1) return (p->insns = a) > 0;
    if (sscanf(s, "line %llu", &a) == 1) return p->line = (u32)a, true;
    if (sscanf(s, "chunk %llu %llu %llu", &a, &b, &c) == 3) {
        p->chunk_lo = (u32)a, p->chunk_hi = (u32)b, p->chunk_seed = c;
        return a && a <= b && b < 1 << 20;
    }
    if (sscanf(s, "torture %79s", p->torture) == 1) return true;
    if (sscanf(s, "fill %llx %llx %llx", &a, &b, &c) == 3) {
        if (p->nfill == PROGRAM_FILLS || a < p->base || b > p->size || a - p->base > p->size - b)
            return false;
        p->fill[p->nfill].at = a;
        p->fill[p->nfill].len = b;
        p->fill[p->nfill++].seed = c;
        return true;
    }
    if (sscanf(s, "%llx:%n", &a, &used) == 1 && used) return parse_bytes(p, a, s + used);
    if (sscanf(s, "%31s %llx", name, &a) != 2) return false;
    int r = reg_named(name);
    if (r >= 0) p->reg[r] = a;
    return r >= 0;
}

bool program_load(struct program *p, const char *text, size_t len, struct err *err) {
    *p = (struct program){0};
    unsigned number = 0;
    for (const char *s = text, *end = text + len; s < end;) {
        char line[512];
        const char *nl = memchr(s, '\n', (size_t)(end - s));
        size_t n = (size_t)((nl ? nl : end) - s);
        number++;
        snprintf(line, sizeof line, "%.*s", (int)(n < sizeof line ? n : sizeof line - 1), s);
        if (!parse_line(p, line)) {
            err_set(err, ERR_CORRUPT, "line %u: \"%.100s\" is not understood", number, line);
            return false;
        }
        s += n + 1;
    }
    if (!p->ram) err_set(err, ERR_CORRUPT, "there is no line \"ram BASE SIZE\"");
    return p->ram != NULL;
}

static bool all_zero(const u8 *p, size_t n) {
    while (n && !p[n - 1]) n--;
    return n == 0;
}

static void save_code(const struct program *p, struct buf *out) {
    for (gpa at = p->code; at < p->code_end;) {
        const u8 *b = p->ram + (at - p->base);
        if (at + 16 <= p->code_end && all_zero(b, 16)) {
            at += 16;
            continue;
        }
        char text[96] = "";
        unsigned n = guest_riscv64.disassemble(b, 4, at, text, sizeof text);
        if (!n) n = 2;
        buf_printf(out, "%llx:", (unsigned long long)at);
        for (unsigned i = 0; i < n; i++) buf_printf(out, " %02x", b[i]);
        buf_printf(out, "%*s # %s\n", n == 2 ? 6 : 0, "", text);
        at += n;
    }
}

static void save_data(const struct program *p, gpa from, gpa to, struct buf *out) {
    for (gpa at = from; at < to; at += 16) {
        const u8 *b = p->ram + (at - p->base);
        if (all_zero(b, 16)) continue;
        buf_printf(out, "%llx:", (unsigned long long)at);
        for (unsigned i = 0; i < 16; i++) buf_printf(out, " %02x", b[i]);
        buf_put_u8(out, '\n');
    }
}

void program_save(const struct program *p, struct buf *out) {
    buf_printf(out, "ram %llx %llx\ninsns %llu\n", (unsigned long long)p->base,
               (unsigned long long)p->size, (unsigned long long)p->insns);
    if (p->line) buf_printf(out, "line %u\n", p->line);
    buf_printf(out, "chunk %u %u %llu\n", p->chunk_lo, p->chunk_hi,
               (unsigned long long)p->chunk_seed);
    if (p->torture[0]) buf_printf(out, "torture %s\n", p->torture);
    for (unsigned i = 0; i < p->nfill; i++)
        buf_printf(out, "fill %llx %llx %llx\n", (unsigned long long)p->fill[i].at,
                   (unsigned long long)p->fill[i].len, (unsigned long long)p->fill[i].seed);
    for (unsigned i = 0; i < PROGRAM_REGS; i++) {
        char name[16];
        reg_name(i, name, sizeof name);
        if (p->reg[i]) buf_printf(out, "%s %llx\n", name, (unsigned long long)p->reg[i]);
    }
    save_data(p, p->base, p->code, out);
    save_code(p, out);
    save_data(p, p->code_end, p->base + p->size, out);
}

// ---- the machine

struct bare {
    struct cpu *cpu;
    u64 skipped_ns, sum;
};

static u64 time_ns(void *arg) {
    struct bare *m = arg;
    return (m->cpu ? cpu_icount(m->cpu) * 10 : 0) + m->skipped_ns;
}

static void no_write(void *arg, const u8 *p, size_t n) {
    struct bare *m = arg;
    for (size_t i = 0; i < n; i++) m->sum = (m->sum ^ p[i]) * 31;
}

static int no_read(void *arg) {
    (void)arg;
    return -1;
}

static void no_shutdown(void *arg, int type, bool failed) { (void)arg, (void)type, (void)failed; }

static u64 device_read(void *arg, u64 off, unsigned size) {
    struct bare *m = arg;
    m->sum = (m->sum ^ off ^ size) * 0x9e3779b97f4a7c15u;
    return m->sum >> 7;
}

static void device_write(void *arg, u64 off, unsigned size, u64 val) {
    struct bare *m = arg;
    m->sum = (m->sum ^ off ^ size ^ val) * 0x9e3779b97f4a7c15u;
    if (off < 16) cpu_set_irq(m->cpu, 9, off >= 8);
}

static void set_registers(const struct program *p, struct rv64_state *s) {
    s->priv = p->reg[REG_PRIV];
    s->satp = p->reg[REG_SATP];
    s->stvec = p->reg[REG_STVEC];
    s->sscratch = p->reg[REG_SSCRATCH];
    s->sstatus = p->reg[REG_SSTATUS];
    s->sie = p->reg[REG_SIE];
    s->stimecmp = p->reg[REG_STIMECMP];
    s->frm = p->reg[REG_FRM];
    memcpy(s->x, &p->reg[REG_X], sizeof s->x);
    memcpy(s->f, &p->reg[REG_F], sizeof s->f);
}

static void set_memory(const struct program *p, u8 *ram) {
    memcpy(ram, p->ram, p->size);
    for (unsigned i = 0; i < p->nfill; i++) {
        u64 z = p->fill[i].seed;
        for (u64 k = 0; k < p->fill[i].len; k++) {
            z = z * 6364136223846793005u + 1442695040888963407u;
            ram[p->fill[i].at - p->base + k] = (u8)(z >> 56);
        }
    }
}

static bool make(void *arg, const struct cpu_settings *set, struct lockstep_side *out) {
    static const struct mmio_ops ops = {device_read, device_write};
    const struct program *p = arg;
    struct err err = {0};
    struct bare *m = calloc(1, sizeof *m);
    struct cpu_board board = {.arg = m,
                              .time_ns = time_ns,
                              .console_write = no_write,
                              .console_read = no_read,
                              .shutdown = no_shutdown};
    *out = (struct lockstep_side){.skipped_ns = &m->skipped_ns, .world = m};
    out->bus = bus_create(p->base, p->size, &err);
    out->cpu = out->bus ? cpu_create(&guest_riscv64, out->bus, &board, set, &err) : NULL;
    if (!out->cpu) {
        printf("a CPU cannot be made: %s\n", err.msg);
        bus_destroy(out->bus);
        free(m);
        return false;
    }
    m->cpu = out->cpu;
    bus_add_mmio(out->bus, PROGRAM_MMIO, 4096, &ops, m);
    set_memory(p, bus_ram_ptr(out->bus, p->base, p->size));
    cpu_boot(out->cpu, p->reg[REG_PC], 0, 0);
    set_registers(p, rv64_of(out->cpu->s));
    return true;
}

static void drop(void *arg, struct lockstep_side *s) {
    (void)arg;
    cpu_destroy(s->cpu);
    bus_destroy(s->bus);
    free(s->world);
}

static int line(void *arg, u64 chunk) {
    const struct program *p = arg;
    return p->line && chunk % p->line == 0 ? (int)(chunk / p->line & 1) : -1;
}

struct lockstep_world program_world(const struct program *p) {
    return (struct lockstep_world){
        .arg = (void *)(uintptr_t)p, .make = make, .drop = drop, .line = line};
}
