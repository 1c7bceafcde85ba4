// Prints what bytes of guest code become: instructions as text, and the IR of each block, as the
// engines use it (without dead sets for a guest with lazy flags); writes all of it as a region in a
// WebAssembly module.  golden GUEST MODE CODE.bin OUT.wasm
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "emit/wasm/region.h"
#include "guest/guest.h"
#include "guest/x86_64/state.h"

static const struct guest_arch *guest;
static u8 code[4096 + 16];
static struct ir_block block;
static struct region region;
static u8 effects[256], fast[256];

// ---- the region: the blocks as they follow each other, with ways between them

static void add_block(const struct ir_block *b, unsigned end) {
    struct region_block *r = &region.blocks[region.n++];
    struct ir_insn *ops = malloc(b->n * sizeof *ops);
    if (!ops || region.n > REGION_BLOCKS) abort();
    memcpy(ops, b->ops, b->n * sizeof *ops);
    *r = (struct region_block){.start = b->start,
                               .end_rel = (i32)end,
                               .ninsns = b->ninsns,
                               .nops = b->n,
                               .ops = ops,
                               .succ = {-1, -1}};
}

static i16 block_at(u64 rel) {
    for (unsigned i = 0; i < region.n; i++)
        if ((u64)(i64)region.blocks[i].start == rel) return (i16)i;
    return -1;
}

static void connect(void) {
    for (unsigned i = 0; i < region.n; i++) {
        struct region_block *b = &region.blocks[i];
        const struct ir_insn *x = &b->ops[b->nops - 1];
        bool call = (x->op == IR_JUMP && x->aux == IR_JUMP_CALL) ||
                    (x->op == IR_JUMPIND && x->imm == IR_JUMP_CALL);
        if (call) {
            b->end = END_CALL;
            b->succ[0] = block_at((u64)(i64)b->end_rel);
        } else if (x->op == IR_JUMP || x->op == IR_BRANCH) {
            b->succ[0] = block_at(x->imm);
            if (x->op == IR_BRANCH) b->succ[1] = block_at((u64)(i64)(i32)x->aux);
        }
    }
}

static u32 fallback(enum ir_op op) { return 1000 + (u32)op; }
static u32 helper(const void *arg, unsigned index) {
    (void)arg;
    return 2000 + index;
}
static u32 entry(void *arg, i32 rel) {
    (void)arg;
    return rel >= 0 && rel < 4096 ? 3000 + (u32)rel : 0;
}

// The places of the engine's variables are made up; only what is done with them matters here.
static struct region_abi abi = {.state = 0x10000,
                                .pc_cell = 8,
                                .exc = 0x20000,
                                .attention = 0x20004,
                                .budget = 0x20008,
                                .how = 0x20010,
                                .region = 0x20014,
                                .mix = 0x20018,
                                .tlb_cur = 0x20020,
                                .tlb_r = 0,
                                .tlb_w = 8192,
                                .tlb_x = 16384,
                                .tlb_slots = 512,
                                .jumps = 0x40000,
                                .jump_mask = 0xffff,
                                .jump_bits = 48,
                                .vector = 0x20030,
                                .inexact = 0x20040,
                                .slow_load = 1,
                                .slow_store = 2,
                                .slow_loadv = 3,
                                .slow_storev = 4,
                                .raise = 5,
                                .place = 6,
                                .heed = 7,
                                .guard = 8,
                                .chain = 9,
                                .faulted = 10,
                                .fallback = fallback,
                                .helper = helper,
                                .entry = entry,
                                .memory_pages = 1,
                                .passes = {true, true, true, true, true},
                                .fused_madd = true};

static int write_module(const char *path) {
    struct module m = {0};
    struct buf bytes = {0};
    region.helper_effects = effects;
    region.fast = fast;
    region.flags = guest->flags;
    abi.inexact_mask = guest->inexact_mask;
    abi.inexact_bit = guest->inexact_bit;
    abi.boxed = guest->boxed;
    abi.denormals = guest->denormals;
    region.id = 7;
    region.slot = 9;
    connect();
    FILE *f = region_emit(&region, &abi, &m) && module_finish(&m, &abi, &bytes) ? fopen(path, "wb")
                                                                                : NULL;
    int rc = f && fwrite(bytes.data, 1, bytes.len, f) == bytes.len ? 0 : 1;
    if (f) fclose(f);
    buf_free(&bytes);
    for (unsigned i = 0; i < region.n; i++) free((void *)(uintptr_t)region.blocks[i].ops);
    if (rc) fprintf(stderr, "golden: no module\n");
    return rc;
}

static void print_insn(const u8 *p, unsigned n, unsigned at, u32 mode) {
    char text[128] = "?";
    static const enum x86_code_size sizes[4] = {X86_CODE64, X86_CODE32, X86_CODE32, X86_CODE16};
    if (guest == &guest_x86_64)
        x86_disassemble_as(p, n, at, sizes[mode & MODE_SIZE], text, sizeof text);
    else
        guest->disassemble(p, n, at, text, sizeof text);
    printf("# %x  %s\n", at, text);
}

int main(int argc, char **argv) {
    FILE *f = argc == 5 ? fopen(argv[3], "rb") : NULL;
    if (!f) {
        fprintf(stderr, "usage: golden riscv64|x86_64 MODE CODE.bin OUT.wasm\n");
        return 2;
    }
    guest = strcmp(argv[1], "x86_64") == 0 ? &guest_x86_64 : &guest_riscv64;
    u32 mode = (u32)atoi(argv[2]);
    unsigned len = (unsigned)fread(code, 1, 4096, f);
    fclose(f);
    for (unsigned i = 0; i < guest->nhelpers; i++) {
        effects[i] = guest->helpers[i].effects;
        fast[i] = guest->helpers[i].fast;
    }
    for (unsigned at = 0; at + 2 <= len;) {
        struct buf text = {0};
        ir_begin(&block, (i32)at, effects, guest->nhelpers);
        while (!block.ended && at < len) {
            unsigned n = guest->lift(&block, code + at, len - at, (i32)at, mode);
            if (n == LIFT_SHORT) break;
            print_insn(code + at, n, at, mode);
            at += n;
        }
        if (!block.ended) ir_jump(&block, (i64)at);
        struct err err = {0};
        int rc = ir_verify(&block, &err);
        if (guest->lazy_flags) ir_drop_dead(&block);
        ir_print(&block, &text);
        printf("%s%s\n", buf_cstr(&text), err.msg);
        buf_free(&text);
        if (rc < 0) return 1;
        add_block(&block, at);
        if (!block.ninsns) {
            fprintf(stderr, "golden: the code ends within an instruction\n");
            return 1;
        }
    }
    return write_module(argv[4]);
}
