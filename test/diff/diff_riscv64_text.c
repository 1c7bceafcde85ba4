// The instruction table against the GNU tools: every row with random operands and every 16-bit word
// is assembled as data and disassembled by objdump, whose text must be ours; and what we print for
// a compressed instruction must assemble back to it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "guest/riscv64/state.h"
#include "support/rv_case.h"

enum { PER_ROW = 40, LINE = 256 };
#define ARCH "rv64imafdc_zicsr_zifencei_zba_zbb_zbs"

static char dir[] = "/tmp/berth-text-XXXXXX";

static FILE *open_file(const char *name) {
    char path[64];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    if (!f) {
        perror(path);
        exit(1);
    }
    fprintf(f, ".option norelax\n.attribute arch, \"" ARCH "\"\n");
    return f;
}

static void shell(const char *fmt) {
    char cmd[512];
    (void)snprintf(cmd, sizeof cmd, fmt, dir);
    if (system(cmd) == 0) return;
    fprintf(stderr, "failed: %s (package binutils-riscv64-linux-gnu)\n", cmd);
    exit(1);
}

// ---- rows: our text against objdump's

static u32 random_word(enum rv_id id, struct rng *r) {
    const struct rv_row *row = &rv_rows[id];
    u32 w = row->match | ((u32)rng_next(r) & ~row->mask);
    switch (row->format) {
    case RVF_F4:
    case RVF_F3:
    case RVF_F2:
    case RVF_XFRM:
    case RVF_FXRM: { // objdump knows valid rounding modes only
        static const u8 modes[] = {0, 1, 2, 3, 4, 7};
        w = (w & ~0x7000u) | (u32)modes[rng_below(r, 6)] << 12;
        break;
    }
    case RVF_FENCE: // reserved fields are 0 to objdump, and empty sets "unknown"
        w = (w & 0x0ff0707fu) | 0x08100000u;
        break;
    case RVF_CSR:
    case RVF_CSRI: { // ours, by name, and some that have none
        u32 number = 0;
        while (!rv64_csr_name(number)) number = rng_below(r, 4096);
        if (rng_below(r, 4) == 0) number = 0x5c0 + rng_below(r, 64);
        w = (w & 0xfffffu) | number << 20;
        break;
    }
    case RVF_NONE:
        w = row->match;
        break;
    default:
        break;
    }
    return w;
}

// objdump's text of the next instruction line: without comment and symbol, one blank after the
// name.
static bool next_text(FILE *f, char out[LINE]) {
    char line[512];
    while (fgets(line, sizeof line, f)) {
        char *p = strchr(line, '\t'); // address: TAB bytes TAB name TAB operands
        if (!p || !(p = strchr(p + 1, '\t'))) continue;
        p++;
        p[strcspn(p, "\n<#")] = 0;
        size_t n = strlen(p);
        while (n && (p[n - 1] == ' ' || p[n - 1] == '\t')) p[--n] = 0;
        char *tab = strchr(p, '\t');
        if (tab) *tab = ' ';
        (void)snprintf(out, LINE, "%s", p);
        return true;
    }
    return false;
}

static u32 words[RV_COUNT * PER_ROW];

static unsigned check_rows(unsigned *passed) {
    struct rng r = {1};
    unsigned n = 0, bad = 0, skipped = 0;
    FILE *s = open_file("rows.s");
    for (enum rv_id id = 1; id < RV_COUNT; id++)
        for (unsigned k = 0; k < PER_ROW; k++) {
            words[n] = random_word(id, &r);
            fprintf(s, ".insn 0x%08x\n", words[n++]);
        }
    fclose(s);
    shell("cd %s && riscv64-linux-gnu-as -march=" ARCH " rows.s -o rows.o && "
          "riscv64-linux-gnu-objdump -d -M no-aliases rows.o > rows.txt");
    char path[64], theirs[LINE], ours[LINE];
    (void)snprintf(path, sizeof path, "%s/rows.txt", dir);
    FILE *f = fopen(path, "r");
    for (unsigned i = 0; i < n; i++) {
        u8 code[4];
        put_le32(code, words[i]);
        guest_riscv64.disassemble(code, 4, (gva)i * 4, ours, sizeof ours);
        if (!f || !next_text(f, theirs)) strcpy(theirs, "(nothing)");
        // Exact conversions: objdump knows no mode but 0 and does not print it.
        bool exact = strncmp(ours, "fcvt.d.w", 8) == 0 || strncmp(ours, "fcvt.d.s", 8) == 0;
        if (exact && (words[i] & 0x7000)) {
            ++skipped;
            continue;
        }
        if (exact) ours[strlen(ours) - 4] = 0;
        if (strcmp(ours, theirs) == 0) {
            ++*passed;
        } else if (bad++ < 20) {
            printf("%08x: ours \"%s\", objdump \"%s\"\n", words[i], ours, theirs);
        }
    }
    if (f) fclose(f);
    return bad + (skipped > 4 * PER_ROW);
}

// ---- compressed: our text of the expansion, assembled, gives the same 16 bits

// Encodings that no assembler chooses: HINTs, and forms with a shorter or preferred equal.
static bool has_preferred_form(u32 half, u32 word) {
    enum rv_id id = rv_decode(word);
    unsigned rd = rv_rd(word);
    if (id == RV_ADDI && rv_rs1(word) == rd && rv_imm_i(word) == 0) return true; // c.addi rd, 0
    if ((half & 3) == 1 && rd == 0 && id != RV_JAL && rv_rows[id].format != RVF_BRANCH) return true;
    if ((half & 3) == 2 && rd == 0 && (id == RV_ADD || id == RV_SLLI)) return true;
    if ((id == RV_SLLI || id == RV_SRLI || id == RV_SRAI) && (word >> 20 & 63) == 0) return true;
    // addi sp, sp, small: c.addi before c.addi16sp; li and addi4spn have one form each.
    if (id == RV_ADDI && rd == 2 && rv_rs1(word) == 2) return true;
    return false;
}

static unsigned check_compressed(unsigned *passed) {
    static u16 halves[0x10000];
    unsigned n = 0, bad = 0;
    FILE *s = open_file("halves.s");
    for (u32 half = 0; half < 0x10000; half++) {
        u32 word = (half & 3) == 3 ? 0 : rv_expand(half);
        if (!word || has_preferred_form(half, word)) continue;
        char text[LINE], *at;
        u8 code[4];
        put_le32(code, half);
        guest_riscv64.disassemble(code, 4, 0x100000, text, sizeof text);
        // The assembler compresses jalr only by its short names.
        if (rv_decode(word) == RV_JALR)
            (void)snprintf(text, sizeof text, "%s x%u", rv_rd(word) ? "jalr" : "jr", rv_rs1(word));
        u8 format = rv_rows[rv_decode(word)].format;
        if ((format == RVF_BRANCH || format == RVF_J) && (at = strrchr(text, ','))) {
            long d =
                (long)strtoul(at + 1, NULL, 16) - 0x100000; // relative, as the assembler wants it
            if (format == RVF_J)                            // jal zero is not compressed, j is
                (void)snprintf(text, sizeof text, "j .%+ld", d);
            else
                (void)snprintf(at, sizeof text - (size_t)(at - text), ",.%+ld", d);
        }
        halves[n++] = (u16)half;
        fprintf(s, "%s\n", text);
    }
    fclose(s);
    shell("cd %s && riscv64-linux-gnu-as -march=" ARCH " halves.s -o halves.o && "
          "riscv64-linux-gnu-objcopy -O binary -j .text halves.o halves.bin");
    char path[64];
    (void)snprintf(path, sizeof path, "%s/halves.bin", dir);
    FILE *f = fopen(path, "rb");
    for (unsigned i = 0; i < n; i++) {
        u8 b[4] = {0};
        if (!f || fread(b, 1, 2, f) != 2) {
            printf("the assembler made fewer instructions\n");
            bad++;
            break;
        }
        if (get_le16(b) == halves[i]) {
            ++*passed;
            continue;
        }
        if ((b[0] & 3) == 3 && fread(b + 2, 1, 2, f) != 2) break;
        if (bad++ < 20)
            printf("%04x expands to %08x, which assembles to %08x\n", halves[i],
                   rv_expand(halves[i]), get_le32(b));
    }
    if (f) fclose(f);
    return bad;
}

int main(void) {
    if (!mkdtemp(dir)) return 1;
    unsigned passed = 0, failed = check_rows(&passed) + check_compressed(&passed);
    if (!failed) shell("rm -r %s");
    printf("%u passed, %u failed\n", passed, failed);
    return failed != 0;
}
