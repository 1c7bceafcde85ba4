// Code that is known to be hot before it has run: the guest's kernel is the same each time, so what
// was hot in one run is translated in the next while the CPU idles, before a program waits for it.
// Depends on jit_form.c and jit.c.
//
// A profile is text. Its first line is "berth-profile 1 MODE", MODE being the code mode in hex (all
// of it is code of one mode). Then words, between blanks: "pVA" begins a page at guest address VA;
// any other word is a block that ran in that page, by its offset (three hexadecimal digits), with
// letters after it: c something calls it, j a computed jump leads to it, F, L, B a function, loop
// or block was translated from there (enum region_kind), h it was among the hottest. It says
// nothing about what the bytes are: what is translated is what is there, so a profile of another
// kernel wastes time and does no harm.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "exec/jit.h"

enum {
    DECODED_AT_ONCE = 32,
    NO_MODE = 256,
    HOTTEST = 700, // at most: translations that the host's optimising compiler is to take ahead
    // V8 gives a function to that one when it has executed some 1.8 million bytes of it, and here
    // it executes fifty a call.
    OPTIMISED_AFTER = 60000
};

enum step { DECODE, TRANSLATE, COMPILE };

struct jit_profile {
    const char *at, *begin; // what is next; the first word
    gva page;
    u32 mode;
    enum step step;
    u32 region; // COMPILE: up to which they were seen to
    char text[];
};

static const char header[] = "berth-profile 1 ";

// The digits at *p, past which it goes, as a number.
static u64 digits(const char **p, unsigned most) {
    u64 v = 0;
    for (; most; most--, ++*p) {
        char ch = **p;
        if (ch >= '0' && ch <= '9')
            v = v << 4 | (u64)(ch - '0');
        else if (ch >= 'a' && ch <= 'f')
            v = v << 4 | (u64)(ch - 'a' + 10);
        else
            break;
    }
    return v;
}

void profile_init(struct cpu *c) {
    const char *text = c->set.profile;
    size_t len = c->set.profile_len;
    if (!text || !len) return;
    struct jit_profile *p = malloc(sizeof *p + len + 1);
    if (!p) return;
    memcpy(p->text, text, len);
    p->text[len] = '\0';
    p->page = 0;
    p->step = DECODE;
    p->region = 0;
    p->at = p->text;
    p->mode = NO_MODE;
    if (strncmp(p->text, header, strlen(header)) == 0) {
        p->at += strlen(header);
        p->mode = (u32)digits(&p->at, 2);
    }
    p->begin = p->at;
    if (p->mode == NO_MODE) {
        log_write(c->set.log, LOG_WARN,
                  "the kernel's profile is not one that this version reads; it starts without");
        free(p);
        return;
    }
    c->jit->profile = p;
}

void profile_free(struct cpu *c) {
    free(c->jit->profile);
    c->jit->profile = NULL;
}

// ---- using one

// The physical page that instructions at `va` are fetched from, and its host address. NULL: none.
static u8 *fetched(struct cpu *c, gva va, u32 *ppn) {
    gpa pa;
    bool fault;
    u64 cause;
    u8 *p = mem_page(c, va, ACCESS_EXEC, &pa, &fault, &cause);
    if (p)
        *ppn = (u32)((u64)(p - bus_ram_ptr(c->bus, bus_ram_base(c->bus), 1)) >> GUEST_PAGE_SHIFT);
    return p;
}

struct word {
    u32 start;
    bool called, jumped, hot, hottest;
    enum region_kind kind;
};

// The next block. False: no more.
static bool next(struct jit_profile *p, struct word *w) {
    for (;;) {
        while (*p->at == ' ' || *p->at == '\n') p->at++;
        if (!*p->at) return false;
        if (*p->at == 'p') {
            p->at++;
            p->page = digits(&p->at, 16) & ~(u64)(GUEST_PAGE_SIZE - 1);
            continue;
        }
        *w = (struct word){.start = (u32)digits(&p->at, 3)};
        for (; *p->at && *p->at != ' ' && *p->at != '\n'; p->at++) {
            static const char kinds[] = {
                [KIND_FUNCTION] = 'F', [KIND_LOOP] = 'L', [KIND_BLOCK] = 'B'};
            w->called |= *p->at == 'c';
            w->jumped |= *p->at == 'j';
            w->hottest |= *p->at == 'h';
            for (unsigned k = 0; k < sizeof kinds; k++) {
                if (*p->at != kinds[k]) continue;
                w->hot = true;
                w->kind = (enum region_kind)k;
            }
        }
        return true;
    }
}

// False: it may cross into the next page, or nothing is there.
static bool decode_word(struct cpu *c, const struct word *w, gva page) {
    u32 ppn;
    if (w->start + c->arch->max_insn > GUEST_PAGE_SIZE) return false;
    const u8 *code = fetched(c, page, &ppn);
    if (!code) return false;
    u32 i = code_find(c, ppn, (u16)w->start, c->arch->code_mode(c->s));
    if (!i) i = code_make(c, page + w->start, code + w->start);
    if (!i) return false;
    if (w->called) code_called(c, i);
    if (w->jumped) block_of(c, i)->jumped = true;
    return true;
}

static void translate_word(struct cpu *c, const struct word *w, gva page) {
    struct form_at at = {.mode = c->arch->code_mode(c->s), .start = (i32)w->start, .page = page};
    u32 ppn;
    // A region takes in pages around it that the TLB knows.
    for (int k = -REGION_PAGES; k <= REGION_PAGES; k++)
        fetched(c, page + (u64)(i64)(k * (int)GUEST_PAGE_SIZE), &ppn);
    if (!fetched(c, page, &at.ppn) || !c->pages[at.ppn]) return;
    enum jit_ahead ahead = w->hottest ? AHEAD_OPTIMISE : AHEAD_COMPILE;
    if (code_find(c, at.ppn, (u16)w->start, at.mode) && jit_translate(c, &at, w->kind, ahead))
        c->stats.regions_ahead++;
}

// Hosts compile a function when it is first called, which takes them longer than we did.
static bool compile_next(struct cpu *c, struct jit_profile *p) {
    struct jit *j = c->jit;
    while (p->region < j->nregions) {
        struct jit_region *r = &j->regions[p->region++];
        if (!r->ahead || r->state != REGION_LIVE) continue;
        u32 calls = r->ahead == AHEAD_OPTIMISE ? OPTIMISED_AFTER : 1;
        r->ahead = AHEAD_NOTHING;
        for (; calls; calls--) ((region_fn)(uintptr_t)r->slot)(0, 0, -1);
        return true;
    }
    return false;
}

// One part of a step. False: it is done.
static bool work(struct cpu *c, struct jit_profile *p) {
    struct word w;
    if (p->step == COMPILE) return compile_next(c, p);
    for (unsigned n = 0; n < DECODED_AT_ONCE; n++) {
        if (!next(p, &w)) return false;
        if (p->step == DECODE) decode_word(c, &w, p->page);
        if (p->step == DECODE || !w.hot) continue;
        translate_word(c, &w, p->page);
        break;
    }
    return true;
}

enum cpu_ahead cpu_translate_ahead(struct cpu *c) {
    struct jit *j = c->jit;
    struct jit_profile *p = j ? j->profile : NULL;
    if (!p) return CPU_AHEAD_DONE;
    if (!c->s->idle || !jit_of_kernel(c->s->pc) || c->s->exc || j->in_flight)
        return CPU_AHEAD_LATER;
    if (c->arch->code_mode(c->s) != p->mode) return CPU_AHEAD_LATER;
    look_again(c);
    if (!work(c, p)) {
        if (p->step == COMPILE) {
            profile_free(c);
            return CPU_AHEAD_DONE;
        }
        j->hurry = p->step == TRANSLATE; // the module that is not full
        p->step++;
        p->at = p->begin;
    }
    jit_sample(c); // compiles what has come together
    return CPU_AHEAD_MORE;
}

// ---- making one

// What page of the kernel lies `linear` below its guest address: that of most translations.
static bool find_linear(const struct cpu *c, u64 *linear) {
    const struct jit *j = c->jit;
    u64 best = 0;
    u32 votes = 0;
    for (u32 i = 0; i < j->nregions; i++) {
        const struct jit_region *r = &j->regions[i];
        if (r->state != REGION_LIVE || !jit_of_kernel(r->at.page)) continue;
        u64 d = r->at.page - ((u64)r->ppn[0] << GUEST_PAGE_SHIFT);
        if (!votes) best = d;
        if (d == best)
            votes++;
        else
            votes--;
    }
    *linear = best;
    return best != 0;
}

// Is the code at `va` part of a function that is translated?
static bool in_function(const struct cpu *c, gva va) {
    const struct jit *j = c->jit;
    for (u32 i = 0; i < j->nregions; i++) {
        const struct jit_region *r = &j->regions[i];
        if (r->state != REGION_LIVE || r->kind != KIND_FUNCTION) continue;
        i64 rel = (i64)(va - r->at.page);
        for (unsigned k = 0; k < r->nspans; k++)
            if (r->spans[k].start <= rel && rel < r->spans[k].end) return true;
    }
    return false;
}

// Worth a translation of its own? Not a loop inside of another, which is formed by what is around
// it, and not a place that functions were returned to while what they called had no translation.
static bool is_hot(const struct cpu *c, const struct jit_region *r) {
    if (r->state != REGION_LIVE || r->at.nstops) return false;
    return r->kind != KIND_BLOCK || !in_function(c, r->at.page + r->start);
}

// How many runs have ended in each of the hottest translations, at least.
static u32 seen_by_hottest(const struct jit *j) {
    enum { MOST = 64 };
    u32 n[MOST] = {0}, sum = 0, k = MOST;
    for (u32 i = 0; i < j->nregions; i++) {
        const struct jit_region *r = &j->regions[i];
        if (r->state == REGION_LIVE && jit_of_kernel(r->at.page))
            n[r->seen < MOST ? r->seen : MOST - 1]++;
    }
    while (k > 1 && sum + n[k - 1] <= HOTTEST) sum += n[--k];
    return k;
}

static void put_block(const struct cpu *c, const struct block *k, u32 hottest, struct buf *out) {
    const struct jit_entry *e = jit_find_entry(c->jit, c->pages[k->ppn], k->start, k->mode);
    const struct jit_region *r = e && e->region ? &c->jit->regions[e->region - 1] : NULL;
    buf_printf(out, " %03x%s%s", k->start, k->called ? "c" : "", k->jumped ? "j" : "");
    if (!r || !is_hot(c, r)) return;
    buf_put_u8(out, (u8) "FLB"[r->kind]);
    if (r->seen >= hottest) buf_put_u8(out, 'h');
}

bool cpu_profile(struct cpu *c, struct buf *out) {
    u64 linear;
    u32 mode = c->arch->code_mode(c->s), hottest = c->jit ? seen_by_hottest(c->jit) : 0;
    if (!c->jit || !jit_of_kernel(c->s->pc) || !find_linear(c, &linear)) return false;
    buf_printf(out, "%s%x\n", header, mode);
    for (u64 ppn = 0; ppn < c->npages; ppn++) {
        u32 at[GUEST_PAGE_SIZE] = {0};
        const struct code_page *p = c->pages[ppn];
        u32 there;
        gva va = linear + (ppn << GUEST_PAGE_SHIFT);
        // Pages without translations have code that ran at the start, or seldom.
        if (!p || !p->regions || !fetched(c, va, &there) || there != ppn) continue;
        for (u32 i = p->blocks; i; i = block_of(c, i)->page_next)
            if (block_of(c, i)->mode == mode) at[block_of(c, i)->start] = i;
        buf_printf(out, "p%llx", (unsigned long long)va);
        for (u32 k = 0; k < GUEST_PAGE_SIZE; k++)
            if (at[k]) put_block(c, block_of(c, at[k]), hottest, out);
        buf_put_u8(out, '\n');
    }
    return !out->oom;
}
