// Prints what bytes of guest code become: instructions as text, and the IR of each block.  golden
// CODE.bin
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "guest/guest.h"

static u8 code[4096];
static struct ir_block block;

static void print_insn(const u8 *p, unsigned n, unsigned at) {
    char text[128] = "?";
    guest_riscv64.disassemble(p, n, at, text, sizeof text);
    printf("# %x  %s\n", at, text);
}

int main(int argc, char **argv) {
    u8 effects[256];
    FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!f) {
        fprintf(stderr, "usage: golden CODE.bin\n");
        return 2;
    }
    unsigned len = (unsigned)fread(code, 1, sizeof code, f);
    fclose(f);
    for (unsigned i = 0; i < guest_riscv64.nhelpers; i++)
        effects[i] = guest_riscv64.helpers[i].effects;
    for (unsigned at = 0; at + 2 <= len;) {
        struct buf text = {0};
        ir_begin(&block, (i32)at, effects, guest_riscv64.nhelpers);
        while (!block.ended && at < len) {
            // Mode 1: floating point on, rounding to nearest.
            unsigned n = guest_riscv64.lift(&block, code + at, len - at, (i32)at, 1);
            if (n == LIFT_SHORT) break;
            print_insn(code + at, n, at);
            at += n;
        }
        if (!block.ended) ir_jump(&block, (i64)at);
        struct err err = {0};
        int rc = ir_verify(&block, &err);
        ir_print(&block, &text);
        printf("%s%s\n", buf_cstr(&text), err.msg);
        buf_free(&text);
        if (rc < 0) return 1;
        if (!block.ninsns) {
            fprintf(stderr, "golden: the code ends within an instruction\n");
            return 1;
        }
    }
    return 0;
}
