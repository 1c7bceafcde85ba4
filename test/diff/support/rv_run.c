// Running images. QEMU is the user-mode emulator, called on a temporary file with the results
// coming back through a pipe. Ours starts in S mode at a stub that switches F and D on and enters
// the program in U mode; its ecall (or any trap) arrives at the stub's handler, which notes the
// cause and powers off.
#include "support/rv_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest/guest.h"

static bool write_all(const char *path, const struct buf *b) {
    FILE *f = fopen(path, "wb");
    if (!f) return false;
    bool ok = fwrite(b->data, 1, b->len, f) == b->len;
    return fclose(f) == 0 && ok;
}

bool run_qemu(const struct image *m, u8 *out) {
    char path[] = "/tmp/berth-diff-XXXXXX", cmd[128];
    int fd = mkstemp(path);
    if (fd < 0) return false;
    close(fd);
    bool ok = write_all(path, &m->file);
    (void)snprintf(cmd, sizeof cmd, "chmod 700 %s && exec qemu-riscv64-static -cpu rv64 %s", path,
                   path);
    FILE *p = ok ? popen(cmd, "r") : NULL;
    size_t n = p ? fread(out, 1, m->results_len, p) : 0;
    int status = p ? pclose(p) : -1;
    unlink(path);
    if (n == m->results_len && status == 0) return true;
    fprintf(stderr,
            "qemu-riscv64-static: %zu of %zu result bytes, status %d (is the package "
            "qemu-user-static installed?)\n",
            n, m->results_len, status);
    return false;
}

// ---- ours

enum { STUB = 0x1000 }; // bytes below the image
enum { HANDLER = 0x40, CAUSE_AT = 0x80 };

struct board {
    struct cpu *cpu;
    bool off;
};

static u64 time_ns(void *arg) {
    (void)arg;
    return 0;
}

static void shutdown(void *arg, int type, bool failed) {
    struct board *b = arg;
    (void)type;
    (void)failed;
    b->off = true;
    cpu_request_stop(b->cpu);
}

static u32 csrw(unsigned csr, unsigned rs) {
    return rv_rows[RV_CSRRW].match | csr << 20 | rs << 15;
}
static u32 csrr(unsigned rd, unsigned csr) { return rv_rows[RV_CSRRS].match | csr << 20 | rd << 7; }

static void make_stub(u8 *ram) {
    const u32 entry[] = {
        enc_r(RV_AUIPC, 5, 0, 0),
        enc_i(RV_ADDI, 5, 5, HANDLER),
        csrw(0x105, 5),
        rv_rows[RV_LUI].match | 6 << 7 | 6 << 12, // t1 = 0x6000: FS
        rv_rows[RV_CSRRS].match | 0x100 << 20 | 6 << 15,
        rv_rows[RV_LUI].match | 7 << 7 | (IMAGE_BASE + IMAGE_CODE),
        csrw(0x141, 7),
        rv_rows[RV_SRET].match,
    };
    const u32 handler[] = {
        enc_r(RV_AUIPC, 5, 0, 0),
        csrr(6, 0x142),
        enc_s(RV_SD, 6, 5, CAUSE_AT - HANDLER),
        csrr(6, 0x141),
        enc_s(RV_SD, 6, 5, CAUSE_AT - HANDLER + 8),
        rv_rows[RV_LUI].match | 17 << 7 | 0x53525000, // SRST
        enc_i(RV_ADDI, 17, 17, 0x354),
        enc_i(RV_ADDI, 16, 0, 0),
        enc_i(RV_ADDI, 10, 0, 0),
        enc_i(RV_ADDI, 11, 0, 0),
        rv_rows[RV_ECALL].match,
        rv_rows[RV_JAL].match,
    };
    for (size_t i = 0; i < ARRAY_LEN(entry); i++) put_le32(ram + 4 * i, entry[i]);
    for (size_t i = 0; i < ARRAY_LEN(handler); i++) put_le32(ram + HANDLER + 4 * i, handler[i]);
}

bool run_ours(const struct image *m, const struct cpu_settings *set, u8 *out) {
    struct err err = {0};
    gpa base = IMAGE_BASE - STUB;
    struct bus *bus = bus_create(base, STUB + m->file.len, &err);
    struct board board = {0};
    struct cpu_board ops = {.arg = &board, .time_ns = time_ns, .shutdown = shutdown};
    struct cpu *cpu = bus ? cpu_create(&guest_riscv64, bus, &ops, set, &err) : NULL;
    if (!cpu) {
        fprintf(stderr, "cannot create the CPU: %s\n", err.msg);
        bus_destroy(bus);
        return false;
    }
    board.cpu = cpu;
    bus_write(bus, IMAGE_BASE, m->file.data, m->file.len);
    u8 *ram = bus_ram_ptr(bus, base, STUB);
    make_stub(ram);
    cpu_boot(cpu, base, 0, 0);
    for (unsigned slices = 0; !board.off && slices < 200; slices++) cpu_run(cpu, 100000);
    u64 cause = get_le64(ram + CAUSE_AT), pc = get_le64(ram + CAUSE_AT + 8);
    bool ok = board.off && cause == 8;
    if (!ok) {
        char regs[2048];
        cpu_describe(cpu, regs, sizeof regs);
        fprintf(stderr, "the program %s: cause %llu at %llx\n%s\n",
                board.off ? "trapped" : "did not end", (unsigned long long)cause,
                (unsigned long long)pc, regs);
    }
    bus_read(bus, IMAGE_BASE + m->results, out, m->results_len);
    cpu_destroy(cpu);
    bus_destroy(bus);
    return ok;
}
