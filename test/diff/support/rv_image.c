// Lays cases out: headers, code (for each case: load the state, the items, store the state; at the
// end write everything and exit), initial states, results. Everything is one readable, writable and
// executable segment.
#include "support/rv_image.h"

#include <assert.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 4096, STATE_BYTES = CASE_STATE * 8 };

static void put32(struct buf *b, u32 w) {
    if ((w & 3) == 3)
        buf_put_le32(b, w);
    else
        buf_put_le16(b, (u16)w);
}

static size_t item_bytes(const struct item *it) {
    size_t n = 0;
    for (unsigned i = 0; i < it->n; i++) n += rv_length(it->w[i]);
    return n;
}

// auipc + addi: rd = the address of file offset `to`.
static void put_la(struct buf *b, unsigned rd, size_t to) {
    i64 d = (i64)to - (i64)b->len;
    i64 lo = (d & 0xfff) >= 0x800 ? (d & 0xfff) - 0x1000 : (d & 0xfff);
    put32(b, rv_rows[RV_AUIPC].match | rd << 7 | ((u32)(d - lo) & 0xfffff000u));
    put32(b, enc_i(RV_ADDI, rd, rd, (i32)lo));
}

static void put_item(struct buf *b, const struct rv_case *c, unsigned i) {
    const struct item *it = &c->items[i];
    size_t start = b->len, target = b->len + item_bytes(it);
    for (unsigned k = i + 1; k < c->nitems && k <= i + it->skip; k++)
        target += item_bytes(&c->items[k]);
    for (unsigned k = 0; k < it->n; k++) {
        u32 w = it->w[k];
        i32 d = (i32)(target - b->len);
        if (k + 1u == it->n && it->patch != PATCH_NONE) {
            if ((w & 3) != 3)
                w = enc_c(w, d);
            else if (it->patch == PATCH_BRANCH)
                w = enc_b(w, d);
            else if (it->patch == PATCH_JAL)
                w = enc_j(w, d);
            else // bit 0 of the target is ignored
                w = (w & 0xfffffu) | (u32)((i32)(target - start) | (i32)(start >> 1 & 1)) << 20;
            assert(w && "a jump reaches its target");
        }
        put32(b, w);
    }
}

static void put_case(struct buf *b, const struct rv_case *c, size_t init, size_t result,
                     size_t window) {
    put_la(b, 31, init);
    put32(b, enc_i(RV_LD, 1, 31, STATE_FCSR * 8));
    put32(b, rv_rows[RV_CSRRW].match | 1 << 15 | 3 << 20);
    for (unsigned i = 0; i < 32; i++) put32(b, enc_i(RV_FLD, i, 31, (i32)(STATE_F + i) * 8));
    for (unsigned i = 1; i < 31; i++) put32(b, enc_i(RV_LD, i, 31, (i32)i * 8));
    put_la(b, 31, window);
    for (unsigned i = 0; i < c->nitems; i++) put_item(b, c, i);
    if (b->len & 2) put32(b, 0x0001); // c.nop
    put_la(b, 31, result);
    for (unsigned i = 1; i < 31; i++) put32(b, enc_s(RV_SD, i, 31, (i32)i * 8));
    for (unsigned i = 0; i < 32; i++) put32(b, enc_s(RV_FSD, i, 31, (i32)(STATE_F + i) * 8));
    put32(b, rv_rows[RV_CSRRS].match | 1 << 7 | 3 << 20);
    put32(b, enc_s(RV_SD, 1, 31, STATE_FCSR * 8));
}

// write(1, results, results_len) until done; exit(0)
static void put_exit(struct buf *b, size_t results, size_t end) {
    put_la(b, 9, results);
    put_la(b, 18, end);
    size_t loop = b->len;
    put32(b, enc_i(RV_ADDI, 10, 0, 1));
    put32(b, enc_i(RV_ADDI, 11, 9, 0));
    put32(b, enc_r(RV_SUB, 12, 18, 9));
    put32(b, enc_i(RV_ADDI, 17, 0, 64));
    put32(b, rv_rows[RV_ECALL].match);
    put32(b, enc_r(RV_ADD, 9, 9, 10));
    put32(b, enc_b(enc_r(RV_BLTU, 0, 9, 18), (i32)loop - (i32)b->len));
    put32(b, enc_i(RV_ADDI, 10, 0, 0));
    put32(b, enc_i(RV_ADDI, 17, 0, 93));
    put32(b, rv_rows[RV_ECALL].match);
}

static size_t page_up(size_t n) { return (n + PAGE - 1) & ~(size_t)(PAGE - 1); }

static void put_headers(struct buf *b, size_t total) {
    Elf64_Ehdr e = {.e_ident = ELFMAG,
                    .e_type = ET_EXEC,
                    .e_machine = EM_RISCV,
                    .e_version = 1,
                    .e_entry = IMAGE_BASE + IMAGE_CODE,
                    .e_phoff = sizeof e,
                    .e_flags = 5, // RVC, double floats
                    .e_ehsize = sizeof e,
                    .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = 1};
    e.e_ident[EI_CLASS] = ELFCLASS64;
    e.e_ident[EI_DATA] = ELFDATA2LSB;
    e.e_ident[EI_VERSION] = EV_CURRENT;
    Elf64_Phdr p = {PT_LOAD, PF_R | PF_W | PF_X, 0, IMAGE_BASE, IMAGE_BASE, total, total, PAGE};
    memcpy(b->data, &e, sizeof e);
    memcpy(b->data + sizeof e, &p, sizeof p);
}

// Two passes: the first finds how long the code is, the second knows where the data lies.
static size_t put_code(struct image *m, const struct rv_case *cases, unsigned n, size_t data) {
    struct buf *b = &m->file;
    b->len = IMAGE_CODE;
    m->results = page_up(data + (size_t)n * STATE_BYTES);
    m->windows = page_up(m->results + (size_t)n * STATE_BYTES);
    m->results_len = m->windows + ((size_t)n + 2) * PAGE - m->results;
    for (unsigned i = 0; i < n; i++) {
        m->body[i] = b->len;
        put_case(b, &cases[i], data + (size_t)i * STATE_BYTES, m->results + (size_t)i * STATE_BYTES,
                 m->windows + ((size_t)i + 1) * PAGE);
    }
    put_exit(b, m->results, m->results + m->results_len);
    return page_up(b->len);
}

void image_build(struct image *m, const struct rv_case *cases, unsigned n, u64 seed) {
    static const u8 zeros[IMAGE_CODE];
    memset(m, 0, sizeof *m);
    m->body = calloc(n, sizeof *m->body);
    buf_put(&m->file, zeros, sizeof zeros);
    size_t data = put_code(m, cases, n, 1 << 24);
    put_code(m, cases, n, data);
    size_t total = m->results + m->results_len, code = m->file.len;
    buf_reserve(&m->file, total - code);
    assert(!m->file.oom && m->body && "the image fits host memory");
    memset(m->file.data + code, 0, total - code);
    m->file.len = total;
    put_headers(&m->file, total);
    for (unsigned i = 0; i < n; i++)
        memcpy(m->file.data + data + (size_t)i * STATE_BYTES, cases[i].init, STATE_BYTES);
    struct rng r = {seed};
    for (size_t i = m->windows; i + 8 <= total; i += 8) put_le64(m->file.data + i, rng_next(&r));
}

void image_free(struct image *m) {
    buf_free(&m->file);
    free(m->body);
}
