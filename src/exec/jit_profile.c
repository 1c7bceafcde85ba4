// Code that is known to be hot before it has run, because it was in another run: translated while
// the CPU idles, before a program waits for it. The guest's kernel is the same each time, and its
// programs are those of the image. Depends on jit_form.c and jit.c.
//
// A profile is text. Its first line is "berth-profile 1 MODE", MODE being the code mode in hex (all
// of it is code of one mode). Then words, between blanks: "pVA" begins a page at guest address VA,
// as the kernel's are; "q IDX HASH" page IDX of a file, whose content has this hash, wherever it
// lies in memory. A line "f PATH" comes before the pages of a file, so that pages beside each other
// are known, and may be read from it first (container/preload.c). Any other word is a block that
// ran in that page, by its offset (three hexadecimal digits), with letters after it: c something
// calls it, j a computed jump leads to it, F, L, B a function, loop or block was translated from
// there (enum region_kind), h it was among the hottest. It says nothing about what the bytes of a
// kernel's page are: what is translated is what is there, so a profile of another kernel wastes
// time and does no harm. Numbers are hexadecimal.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "exec/jit.h"

enum {
    DECODED_AT_ONCE = 32,
    HASHED_AT_ONCE = 256, // pages: half a millisecond
    NO_MODE = 256,
    // V8 gives a function to its optimising compiler when it has executed 13 million bytes of the
    // baseline compiler's code for it, of which a call counts all: no fewer than of WebAssembly.
    OPTIMISED_AFTER = 16000000
};

enum step { FIND, DECODE, TRANSLATE, COMPILE };

// A page of a file.
struct file_page {
    u64 hash;
    gva page; // where it is said to be: files lie apart, pages of a file as in it
    u32 ppn;  // where it was found, NOT_FOUND
};
enum { NOT_FOUND = ~0u };
// Addresses of no guest, so that nothing else has them.
#define FILE_PAGES ((gva)1 << 62)
#define FILE_SHIFT 40

struct jit_profile {
    const char *at, *begin; // what is next; the first word
    gva page;
    u32 mode;
    enum step step;
    u32 region; // COMPILE: up to which they were seen to
    struct file_page *files;
    u32 *by_hash;              // 1 + index in files, 0: free
    u32 nfiles, nhashes, file; // nhashes: a power of two; file: 1 + index of the last page begun
    u64 looked;                // FIND: physical pages
    char text[];
};

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

static bool is_blank(char ch) { return ch == ' ' || ch == '\n'; }

// To the next word. False: there is none.
static bool to_word(const char **p) {
    while (is_blank(**p)) ++*p;
    return **p != '\0';
}

// A line with a file's name? Its first word is shorter than a block's.
static bool is_file(const char *p) { return p[0] == 'f' && p[1] == ' '; }

// ---- pages of files

// Counts the words of that kind.
static u32 count_words(const char *p, char kind) {
    u32 n = 0;
    for (; to_word(&p); p += strcspn(p, " \n")) n += *p == kind;
    return n;
}

// What "q" at *at begins, past which it goes.
static struct file_page read_page(const char **at, u64 file) {
    ++*at;
    to_word(at);
    u64 idx = digits(at, 7);
    to_word(at);
    return (struct file_page){
        .hash = digits(at, 16),
        .page = FILE_PAGES | file << FILE_SHIFT | idx << GUEST_PAGE_SHIFT,
        .ppn = NOT_FOUND,
    };
}

static void add_page(struct jit_profile *p, const char **at, u64 file) {
    struct file_page *q = &p->files[p->nfiles++];
    *q = read_page(at, file);
    u32 k = (u32)q->hash & (p->nhashes - 1);
    while (p->by_hash[k]) k = (k + 1) & (p->nhashes - 1);
    p->by_hash[k] = p->nfiles;
}

// False: out of memory.
static bool find_files(struct jit_profile *p) {
    u32 n = count_words(p->begin, 'q');
    u64 file = 0;
    if (!n) return true;
    for (p->nhashes = 1; p->nhashes < 2 * n;) p->nhashes *= 2;
    p->files = calloc(n, sizeof *p->files);
    p->by_hash = calloc(p->nhashes, sizeof *p->by_hash);
    if (!p->files || !p->by_hash) return false;
    for (const char *at = p->begin; to_word(&at); at += strcspn(at, " \n")) {
        if (is_file(at)) {
            file++;
            at += strcspn(at, "\n");
        } else if (*at == 'q') {
            add_page(p, &at, file);
        }
    }
    return true;
}

// The physical page's content is looked for among the files' pages.
static void find_page(struct cpu *c, struct jit_profile *p, u64 ppn) {
    u64 pa = bus_ram_base(c->bus) + (ppn << GUEST_PAGE_SHIFT);
    const u8 *page = bus_ram_ptr(c->bus, pa, GUEST_PAGE_SIZE);
    u64 first, last;
    memcpy(&first, page, 8);
    memcpy(&last, page + GUEST_PAGE_SIZE - 8, 8);
    if (!(first | last)) return; // most likely nothing was ever there
    u64 hash = profile_hash(page);
    for (u32 k = (u32)hash & (p->nhashes - 1); p->by_hash[k]; k = (k + 1) & (p->nhashes - 1)) {
        struct file_page *q = &p->files[p->by_hash[k] - 1];
        if (q->hash == hash) q->ppn = (u32)ppn;
    }
}

static bool find_next(struct cpu *c, struct jit_profile *p) {
    for (unsigned n = 0; n < HASHED_AT_ONCE; n++) {
        if (!p->nfiles || p->looked == c->npages) return false;
        find_page(c, p, p->looked++);
    }
    return true;
}

// Pages of files are fetched from where no program has them, while code in them is looked at:
// around files[i], as many as regions take in. Nothing is executed meanwhile.
static void show_pages(struct cpu *c, const struct jit_profile *p, u32 i, bool show) {
    u32 from = i < REGION_PAGES ? 0 : i - REGION_PAGES, to = i + REGION_PAGES;
    for (u32 k = from; k <= to && k < p->nfiles; k++) {
        const struct file_page *q = &p->files[k];
        if (q->ppn == NOT_FOUND || q->page - p->files[i].page + REGION_PAGES * GUEST_PAGE_SIZE >
                                       2 * REGION_PAGES * GUEST_PAGE_SIZE)
            continue;
        u64 pa = bus_ram_base(c->bus) + ((u64)q->ppn << GUEST_PAGE_SHIFT);
        const u8 *page = bus_ram_ptr(c->bus, pa, GUEST_PAGE_SIZE);
        if (show)
            tlb_show_exec(&c->tlb, q->page, (uintptr_t)page - (uintptr_t)q->page);
        else
            tlb_hide_exec(&c->tlb, q->page);
    }
}

// ---- beginning

static void profile_begin(struct cpu *c, const char *text, size_t len) {
    struct jit_profile *p = calloc(1, sizeof *p + len + 1);
    if (!p) return;
    memcpy(p->text, text, len);
    p->at = p->text;
    p->mode = NO_MODE;
    if (strncmp(p->text, PROFILE_HEADER, strlen(PROFILE_HEADER)) == 0) {
        p->at += strlen(PROFILE_HEADER);
        p->mode = (u32)digits(&p->at, 2);
    }
    p->begin = p->at;
    c->jit->profile = p;
    if (p->mode >= 1u << JUMP_MODE_BITS) p->mode = NO_MODE;
    if (p->mode != NO_MODE && find_files(p)) return;
    if (p->mode == NO_MODE)
        log_write(
            c->set.log, LOG_WARN,
            "a profile is not one that this version reads, so nothing of it is translated ahead: "
            "make it anew");
    profile_free(c);
}

void profile_init(struct cpu *c) {
    if (c->set.profile && c->set.profile_len) profile_begin(c, c->set.profile, c->set.profile_len);
}

void cpu_use_profile(struct cpu *c, const char *text, size_t len) {
    if (!c->jit) return;
    profile_free(c);
    profile_begin(c, text, len);
}

void profile_free(struct cpu *c) {
    struct jit_profile *p = c->jit->profile;
    if (!p) return;
    free(p->files);
    free(p->by_hash);
    free(p);
    c->jit->profile = NULL;
}

// ---- using one

u8 *profile_fetched(struct cpu *c, gva va, u32 *ppn) {
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

// A word that is no block, if it is one: a file's line, or what begins a page.
static bool skip_other(struct jit_profile *p) {
    if (is_file(p->at)) {
        p->at += strcspn(p->at, "\n");
        return true;
    }
    if (*p->at == 'q') {
        read_page(&p->at, 0);
        if (p->file < p->nfiles) p->page = p->files[p->file++].page;
        return true;
    }
    if (*p->at != 'p') return false;
    p->at++;
    p->page = digits(&p->at, 16) & ~(u64)(GUEST_PAGE_SIZE - 1);
    p->file = 0;
    return true;
}

// The next block. False: no more.
static bool next(struct jit_profile *p, struct word *w) {
    do {
        if (!to_word(&p->at)) return false;
    } while (skip_other(p));
    *w = (struct word){.start = (u32)digits(&p->at, 3)};
    for (; *p->at && !is_blank(*p->at); p->at++) {
        static const char kinds[] = {[KIND_FUNCTION] = 'F', [KIND_LOOP] = 'L', [KIND_BLOCK] = 'B'};
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

// False: it may cross into the next page, or nothing is there.
static bool decode_word(struct cpu *c, const struct jit_profile *p, const struct word *w) {
    u32 ppn;
    if (w->start + c->arch->max_insn > GUEST_PAGE_SIZE) return false;
    const u8 *code = profile_fetched(c, p->page, &ppn);
    if (!code) return false;
    u32 i = code_find(c, ppn, (u16)w->start, p->mode);
    if (!i) i = code_make(c, p->page + w->start, p->mode, code + w->start);
    if (!i) return false;
    if (w->called) code_called(c, i);
    if (w->jumped) block_of(c, i)->jumped = true;
    return true;
}

static void translate_word(struct cpu *c, const struct jit_profile *p, const struct word *w) {
    struct form_at at = {.mode = p->mode, .start = (i32)w->start, .page = p->page};
    u32 ppn;
    // A region takes in pages around it that the TLB knows.
    for (int k = -REGION_PAGES; k <= REGION_PAGES && !p->file; k++)
        profile_fetched(c, p->page + (u64)(i64)(k * (int)GUEST_PAGE_SIZE), &ppn);
    if (!profile_fetched(c, p->page, &at.ppn) || !c->pages[at.ppn]) return;
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
        u32 calls = r->ahead == AHEAD_OPTIMISE ? 1 + OPTIMISED_AFTER / (1 + r->bytes) : 1;
        r->ahead = AHEAD_NOTHING;
        for (; calls; calls--) ((region_fn)(uintptr_t)r->slot)(0, 0, -1);
        return true;
    }
    return false;
}

static void do_word(struct cpu *c, const struct jit_profile *p, const struct word *w) {
    if (p->file && p->files[p->file - 1].ppn == NOT_FOUND) return;
    if (p->file) show_pages(c, p, p->file - 1, true);
    if (p->step == DECODE)
        decode_word(c, p, w);
    else
        translate_word(c, p, w);
    if (p->file) show_pages(c, p, p->file - 1, false);
}

// One part of a step. False: it is done.
static bool work(struct cpu *c, struct jit_profile *p) {
    struct word w;
    if (p->step == FIND) return find_next(c, p);
    if (p->step == COMPILE) return compile_next(c, p);
    for (unsigned n = 0; n < DECODED_AT_ONCE; n++) {
        if (!next(p, &w)) return false;
        if (p->step == TRANSLATE && !w.hot) continue;
        do_word(c, p, &w);
        if (p->step == TRANSLATE) break;
    }
    return true;
}

enum cpu_ahead cpu_translate_ahead(struct cpu *c) {
    struct jit *j = c->jit;
    struct jit_profile *p = j ? j->profile : NULL;
    if (!p) return CPU_AHEAD_DONE;
    if (!c->s->idle || !jit_of_kernel(c->s->pc) || c->s->exc || j->in_flight)
        return CPU_AHEAD_LATER;
    look_again(c);
    if (!work(c, p)) {
        if (p->step == COMPILE) {
            profile_free(c);
            return CPU_AHEAD_DONE;
        }
        j->hurry = p->step == TRANSLATE; // the module that is not full
        p->step++;
        p->at = p->begin;
        p->file = 0;
    }
    jit_sample(c); // compiles what has come together
    return CPU_AHEAD_MORE;
}
