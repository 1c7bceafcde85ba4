// A bare-metal program on our riscv64 machine, until it ends the machine or a minute is over.
#include "support/rv_machine.h"

#include <stdio.h>
#include <stdlib.h>

#include "host/host.h"
#include "machine/machine.h"

enum { LIMIT_S = 60 };

static void console(void *arg, const u8 *p, size_t n) {
    (void)arg;
    fwrite(p, 1, n, stdout);
}

static u8 *read_file(const char *path, size_t *len) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    u8 *p = malloc(1 << 20);
    *len = fread(p, 1, 1 << 20, f);
    fclose(f);
    return p;
}

int machine_program(const char *path, const struct cpu_settings *set) {
    struct machine_settings s = {
        .arch = "riscv64", .memory = 64 << 20, .cmdline = "", .cpu = *set, .console = console};
    size_t len = 0;
    u8 *elf = read_file(path, &len);
    if (!elf) {
        fprintf(stderr, "%s: cannot read\n", path);
        return 1;
    }
    s.kernel = elf;
    s.kernel_len = len;
    struct err err = {0};
    struct machine *m = machine_create(&s, &err);
    free(elf);
    if (!m) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    u64 end = host_monotonic_ns() + LIMIT_S * 1000000000ull;
    struct machine_status st;
    do st = machine_run(m, 5000000);
    while (st.state <= MACHINE_IDLE && host_monotonic_ns() < end);
    int code = st.state == MACHINE_POWEROFF ? 0 : st.exit_code ? st.exit_code : 1;
    if (st.state <= MACHINE_IDLE) {
        char regs[2048];
        cpu_describe(machine_cpu(m), regs, sizeof regs);
        printf("did not end: %s\n", regs);
    }
    machine_destroy(m);
    return code;
}
