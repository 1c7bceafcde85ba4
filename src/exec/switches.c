// Names to settings and figures to text, from the rows of switches.def. Depends on cpu.h only.
#include "exec/switches.h"

#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "exec/cpu.h"

struct name {
    const char *name, *what;
    u32 bit;
};

static const struct name engines[] = {
#define ENGINE(name, id) {#name, "", id},
#include "exec/switches.def"
};
static const struct name passes[] = {
#define PASS(name, id, what) {#name, what, PASS_##id},
#include "exec/switches.def"
};
// Those that are not bits of cpu_settings.torture come last.
enum { TORTURE_INSN = 1u << 30, TORTURE_TLB = 1u << 29, TORTURE_HOT = 1u << 28 };
static const struct name tortures[] = {
#define TORTURE(name, id, what) {#name, what, TORTURE_##id},
#include "exec/switches.def"
    {"insn", "a block is one instruction", TORTURE_INSN},
    {"tlb", "four translations are kept", TORTURE_TLB},
    {"hot", "everything is hot at once", TORTURE_HOT},
};
static const struct {
    char letter;
    u32 bit;
    const char *what;
} dumps[] = {
#define DUMP(letter, id, what) {letter, DUMP_##id, what},
#include "exec/switches.def"
};

static void join(const struct name *t, size_t n, struct buf *out) {
    for (size_t i = 0; i < n; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " or ", t[i].name);
}

static int unknown(const char *kind, const char *got, int len, const struct name *t, size_t n,
                   struct err *err) {
    struct buf all = {0};
    join(t, n, &all);
    int rc =
        err_set(err, ERR_INVALID, "unknown %s \"%.*s\": use %s", kind, len, got, buf_cstr(&all));
    buf_free(&all);
    return rc;
}

static const struct name *find(const struct name *t, size_t n, const char *s, size_t len) {
    for (size_t i = 0; i < n; i++)
        if (strlen(t[i].name) == len && memcmp(t[i].name, s, len) == 0) return &t[i];
    return NULL;
}

static int parse_list(const char *kind, const char *list, const struct name *t, size_t n, u32 *bits,
                      struct err *err) {
    for (const char *s = list; *s;) {
        size_t len = strcspn(s, ",");
        const struct name *hit = find(t, n, s, len);
        if (!hit) return unknown(kind, s, (int)len, t, n, err);
        *bits |= hit->bit;
        s += len + (s[len] == ',');
    }
    return 0;
}

static int parse_dump(const char *letters, u32 *bits, struct err *err) {
    for (const char *s = letters; *s; s++) {
        size_t i = 0;
        while (i < ARRAY_LEN(dumps) && dumps[i].letter != *s) i++;
        if (i == ARRAY_LEN(dumps)) {
            char all[ARRAY_LEN(dumps) + 1] = {0};
            for (size_t k = 0; k < ARRAY_LEN(dumps); k++) all[k] = dumps[k].letter;
            return err_set(err, ERR_INVALID, "unknown dump \"%c\": use letters of \"%s\"", *s, all);
        }
        *bits |= dumps[i].bit;
    }
    return 0;
}

int cpu_set_switch(struct cpu_settings *set, const char *option, const char *value,
                   struct err *err) {
    if (!strcmp(option, "dump")) return parse_dump(value, &set->dump, err);
    if (!strcmp(option, "no"))
        return parse_list("pass", value, passes, ARRAY_LEN(passes), &set->disabled, err);
    if (!strcmp(option, "torture")) {
        u32 bits = 0;
        int rc = parse_list("torture", value, tortures, ARRAY_LEN(tortures), &bits, err);
        if (bits & TORTURE_INSN) set->max_block_insns = 1;
        if (bits & TORTURE_TLB) set->tlb_bits = 2;
        if (bits & TORTURE_HOT) set->hot_samples = 1;
        set->torture |= bits & ~(u32)(TORTURE_INSN | TORTURE_TLB | TORTURE_HOT);
        return rc;
    }
    assert(!strcmp(option, "engine") && "an option of cpu_set_switch");
    const struct name *e = find(engines, ARRAY_LEN(engines), value, strlen(value));
    if (!e) return unknown("engine", value, (int)strlen(value), engines, ARRAY_LEN(engines), err);
    set->engine = (enum exec_engine)e->bit;
    return 0;
}

void cpu_list_switches(struct buf *out) {
    buf_put_str(out, "--dump=LETTERS\n");
    for (size_t i = 0; i < ARRAY_LEN(dumps); i++)
        buf_printf(out, "  %-10c %s\n", dumps[i].letter, dumps[i].what);
    buf_put_str(out, "--no=PASS,...   without\n");
    for (size_t i = 0; i < ARRAY_LEN(passes); i++)
        buf_printf(out, "  %-10s %s\n", passes[i].name, passes[i].what);
    buf_put_str(out, "--torture=NAME,...\n");
    for (size_t i = 0; i < ARRAY_LEN(tortures); i++)
        buf_printf(out, "  %-10s %s\n", tortures[i].name, tortures[i].what);
}

static const struct {
    const char *name, *what;
    size_t at;
} stats[] = {
#define STAT(name, what) {#name, what, offsetof(struct cpu_stats, name)},
#include "exec/switches.def"
};

static u64 stat_value(const struct cpu_stats *st, size_t i) {
    u64 v;
    memcpy(&v, (const u8 *)st + stats[i].at, sizeof v);
    return v;
}

void cpu_stats_records(const struct cpu_stats *st, struct buf *out) {
    for (size_t i = 0; i < ARRAY_LEN(stats); i++)
        buf_printf(out, "%s=%llu\n", stats[i].name, (unsigned long long)stat_value(st, i));
}

void cpu_stats_text(const struct cpu_stats *st, u64 ns, struct buf *out) {
    double seconds = (double)ns / 1e9;
    if (ns)
        buf_printf(out, "%12.1f  million guest instructions a second (%.3f s of running)\n",
                   (double)st->insns / 1e6 / seconds, seconds);
    for (size_t i = 0; i < ARRAY_LEN(stats); i++) {
        u64 v = stat_value(st, i);
        if (v) buf_printf(out, "%12llu  %s\n", (unsigned long long)v, stats[i].what);
    }
}
