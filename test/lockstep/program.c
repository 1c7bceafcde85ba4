// Programs: their text form, and the smallest machine that runs them.
#include "program.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "exec/engine.h"

const struct program_guest *program_guest_named(const char *name) {
    static const struct program_guest *const all[] = {&program_riscv64, &program_x86_64};
    for (unsigned i = 0; i < ARRAY_LEN(all); i++)
        if (strcmp(all[i]->arch->name, name) == 0) return all[i];
    return NULL;
}

bool program_init(struct program *p, const struct program_guest *guest, gpa base, u64 size) {
    *p = (struct program){
        .guest = guest, .base = base, .size = size, .insns = 10000, .chunk_lo = 1, .chunk_hi = 300};
    p->ram = calloc(1, size);
    guest->defaults(p);
    return p->ram != NULL;
}

void program_free(struct program *p) {
    free(p->ram);
    p->ram = NULL;
}

// ---- text

static int reg_named(const struct program_guest *g, const char *s) {
    char buf[16];
    for (unsigned i = 0; i < g->nregs; i++)
        if (strcmp(g->reg_name(i, buf, sizeof buf), s) == 0) return (int)i;
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
    if (sscanf(s, "guest %31s", name) == 1)
        return !p->ram && (p->guest = program_guest_named(name)) != NULL;
    if (sscanf(s, "ram %llx %llx", &a, &b) == 2)
        return !p->ram && b >= 4096 && b <= 64 << 20 && b % 4096 == 0 && a % 4096 == 0 &&
               program_init(p, p->guest, a, b);
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
    int r = reg_named(p->guest, name);
    if (r >= 0) p->reg[r] = a;
    return r >= 0;
}

bool program_load(struct program *p, const char *text, size_t len, struct err *err) {
    *p = (struct program){.guest = &program_riscv64};
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
        const struct guest_arch *arch = p->guest->arch;
        unsigned n = arch->disassemble(b, p->guest->max_insn, at, text, sizeof text);
        if (!n) n = p->guest->max_insn / 2;
        buf_printf(out, "%llx:", (unsigned long long)at);
        for (unsigned i = 0; i < n; i++) buf_printf(out, " %02x", b[i]);
        buf_printf(out, "%*s # %s\n", n < 4 ? 12 - 3 * (int)n : 0, "", text);
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
    if (p->guest != &program_riscv64) buf_printf(out, "guest %s\n", p->guest->arch->name);
    buf_printf(out, "ram %llx %llx\ninsns %llu\n", (unsigned long long)p->base,
               (unsigned long long)p->size, (unsigned long long)p->insns);
    if (p->line) buf_printf(out, "line %u\n", p->line);
    buf_printf(out, "chunk %u %u %llu\n", p->chunk_lo, p->chunk_hi,
               (unsigned long long)p->chunk_seed);
    if (p->torture[0]) buf_printf(out, "torture %s\n", p->torture);
    for (unsigned i = 0; i < p->nfill; i++)
        buf_printf(out, "fill %llx %llx %llx\n", (unsigned long long)p->fill[i].at,
                   (unsigned long long)p->fill[i].len, (unsigned long long)p->fill[i].seed);
    for (unsigned i = 0; i < p->guest->nregs; i++) {
        char buf[16];
        const char *name = p->guest->reg_name(i, buf, sizeof buf);
        if (p->reg[i]) buf_printf(out, "%s %llx\n", name, (unsigned long long)p->reg[i]);
    }
    save_data(p, p->base, p->code, out);
    save_code(p, out);
    save_data(p, p->code_end, p->base + p->size, out);
}

// ---- the machine

static u64 time_ns(void *arg) {
    struct bare *m = arg;
    return (m->cpu ? cpu_icount(m->cpu) * 10 : 0) + m->skipped_ns;
}

static void no_shutdown(void *arg, int type, bool failed) { (void)arg, (void)type, (void)failed; }

struct device {
    const struct program_guest *guest;
    struct bare m;
};

static u64 device_read(void *arg, u64 off, unsigned size) {
    struct bare *m = &((struct device *)arg)->m;
    m->sum = (m->sum ^ off ^ size) * 0x9e3779b97f4a7c15u;
    return m->sum >> 7;
}

static void device_write(void *arg, u64 off, unsigned size, u64 val) {
    struct device *d = arg;
    struct bare *m = &d->m;
    m->sum = (m->sum ^ off ^ size ^ val) * 0x9e3779b97f4a7c15u;
    if (off < 24) d->guest->set_line(m, (int)(off / 8));
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
    struct device *d = calloc(1, sizeof *d);
    struct bare *m = &d->m;
    struct cpu_board board = {.arg = m, .time_ns = time_ns, .shutdown = no_shutdown};
    d->guest = p->guest;
    p->guest->board(m, &board);
    *out = (struct lockstep_side){.skipped_ns = &m->skipped_ns, .world = d};
    out->bus = m->bus = bus_create(p->base, p->size, &err);
    out->cpu = m->bus ? cpu_create(p->guest->arch, m->bus, &board, set, &err) : NULL;
    if (!out->cpu) {
        printf("a CPU cannot be made: %s\n", err.msg);
        bus_destroy(m->bus);
        free(d);
        return false;
    }
    m->cpu = out->cpu;
    bus_add_mmio(m->bus, PROGRAM_MMIO, 4096, &ops, d);
    set_memory(p, bus_ram_ptr(m->bus, p->base, p->size));
    cpu_boot(m->cpu, p->reg[0], 0, 0);
    p->guest->start(p, m);
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

static void set_line(void *arg, struct lockstep_side *s, int level) {
    const struct program *p = arg;
    p->guest->set_line(&((struct device *)s->world)->m, level);
}

struct lockstep_world program_world(const struct program *p) {
    return (struct lockstep_world){.arg = (void *)(uintptr_t)p,
                                   .make = make,
                                   .drop = drop,
                                   .line = line,
                                   .set_line = set_line};
}
