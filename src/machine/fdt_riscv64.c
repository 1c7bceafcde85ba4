// Role: the flattened device tree of the riscv64 board (Devicetree Specification 0.4; Linux's
// bindings for riscv CPUs, PLIC, 8250, virtio-mmio, syscon-poweroff). Depends on libfdt's
// sequential writer.
#include "machine/fdt_riscv64.h"

#include <libfdt.h>
#include <stdio.h>

#include "base/compiler.h"
#include "hw/finisher.h"
#include "hw/plic.h"
#include "hw/uart16550.h"
#include "virtio/mmio.h"

// Phandles.
enum { PH_CPU_INTC = 1, PH_PLIC = 2, PH_TEST = 3 };

// A writer that remembers its first error, so that the tree below reads as a tree.
struct w {
    void *fdt;
    int err;
};

static void keep(struct w *w, int rc) {
    if (!w->err && rc) w->err = rc;
}
static void begin(struct w *w, const char *name) { keep(w, fdt_begin_node(w->fdt, name)); }
static void end(struct w *w) { keep(w, fdt_end_node(w->fdt)); }
static void begin_at(struct w *w, const char *name, u64 addr) {
    char full[48];
    snprintf(full, sizeof full, "%s@%llx", name, (unsigned long long)addr);
    begin(w, full);
}
static void flag(struct w *w, const char *name) { keep(w, fdt_property(w->fdt, name, NULL, 0)); }
static void cell(struct w *w, const char *name, u32 v) {
    keep(w, fdt_property_u32(w->fdt, name, v));
}
static void cell64(struct w *w, const char *name, u64 v) {
    keep(w, fdt_property_u64(w->fdt, name, v));
}
static void str(struct w *w, const char *name, const char *v) {
    keep(w, fdt_property_string(w->fdt, name, v));
}
static void bytes(struct w *w, const char *name, const void *p, size_t n) {
    keep(w, fdt_property(w->fdt, name, p, (int)n));
}
static void reg(struct w *w, u64 base, u64 size) {
    fdt64_t v[2] = {cpu_to_fdt64(base), cpu_to_fdt64(size)};
    bytes(w, "reg", v, sizeof v);
}
// A string list from a literal whose items end in NUL.
#define STRINGS(w, name, list) bytes(w, name, list, sizeof(list))

static void chosen(struct w *w, const struct rv_fdt *f) {
    begin(w, "chosen");
    str(w, "bootargs", f->cmdline);
    str(w, "stdout-path", "/soc/serial@10000000");
    bytes(w, "rng-seed", f->seed, sizeof f->seed);
    if (f->initrd_end > f->initrd) {
        cell64(w, "linux,initrd-start", f->initrd);
        cell64(w, "linux,initrd-end", f->initrd_end);
    }
    end(w);
}

static void cpus(struct w *w) {
    begin(w, "cpus");
    cell(w, "#address-cells", 1);
    cell(w, "#size-cells", 0);
    cell(w, "timebase-frequency", RV_TIMEBASE_HZ);
    begin(w, "cpu@0");
    str(w, "device_type", "cpu");
    cell(w, "reg", 0);
    str(w, "status", "okay");
    str(w, "compatible", "riscv");
    str(w, "mmu-type", "riscv,sv48");
    // Both spellings: kernels before 6.7 know only the string.
    str(w, "riscv,isa", "rv64imafdc_zicntr_zicsr_zifencei_zba_zbb_zbs_sstc_svvptc");
    str(w, "riscv,isa-base", "rv64i");
    STRINGS(w, "riscv,isa-extensions", "i\0m\0a\0f\0d\0c\0zicntr\0zicsr\0zifencei\0zba\0zbb\0zbs\0sstc\0svvptc");
    begin(w, "interrupt-controller");
    cell(w, "#interrupt-cells", 1);
    flag(w, "interrupt-controller");
    str(w, "compatible", "riscv,cpu-intc");
    cell(w, "phandle", PH_CPU_INTC);
    end(w);
    end(w);
    end(w);
}

static void plic(struct w *w) {
    begin_at(w, "plic", RV_PLIC_BASE);
    STRINGS(w, "compatible", "sifive,plic-1.0.0\0riscv,plic0");
    reg(w, RV_PLIC_BASE, PLIC_SIZE);
    cell(w, "#interrupt-cells", 1);
    cell(w, "#address-cells", 0);
    flag(w, "interrupt-controller");
    fdt32_t ext[2] = {cpu_to_fdt32(PH_CPU_INTC), cpu_to_fdt32(RV_LINE_SEIP)};
    bytes(w, "interrupts-extended", ext, sizeof ext);
    cell(w, "riscv,ndev", PLIC_SOURCES);
    cell(w, "phandle", PH_PLIC);
    end(w);
}

static void serial(struct w *w) {
    begin_at(w, "serial", RV_UART_BASE);
    str(w, "compatible", "ns16550a");
    reg(w, RV_UART_BASE, UART_SIZE);
    cell(w, "clock-frequency", UART_CLOCK_HZ);
    cell(w, "interrupt-parent", PH_PLIC);
    cell(w, "interrupts", RV_UART_IRQ);
    end(w);
}

static void finisher(struct w *w) {
    begin_at(w, "test", RV_FINISHER_BASE);
    STRINGS(w, "compatible", "sifive,test1\0sifive,test0\0syscon");
    reg(w, RV_FINISHER_BASE, FINISHER_SIZE);
    cell(w, "phandle", PH_TEST);
    end(w);
}

static void virtio(struct w *w, unsigned count) {
    for (unsigned i = 0; i < count; i++) {
        u64 base = RV_VIRTIO_BASE + (u64)i * RV_VIRTIO_STEP;
        begin_at(w, "virtio_mmio", base);
        str(w, "compatible", "virtio,mmio");
        reg(w, base, VIRTIO_MMIO_SIZE);
        cell(w, "interrupt-parent", PH_PLIC);
        cell(w, "interrupts", RV_VIRTIO_IRQ + i);
        end(w);
    }
}

static void syscon_action(struct w *w, const char *node, const char *compatible, u32 value) {
    begin(w, node);
    str(w, "compatible", compatible);
    cell(w, "regmap", PH_TEST);
    cell(w, "offset", 0);
    cell(w, "value", value);
    end(w);
}

static void tree(struct w *w, const struct rv_fdt *f) {
    begin(w, "");
    cell(w, "#address-cells", 2);
    cell(w, "#size-cells", 2);
    str(w, "compatible", "riscv-virtio");
    str(w, "model", "riscv-virtio,berth");
    chosen(w, f);
    begin_at(w, "memory", RV_RAM_BASE);
    str(w, "device_type", "memory");
    reg(w, RV_RAM_BASE, f->ram_size);
    end(w);
    cpus(w);
    syscon_action(w, "poweroff", "syscon-poweroff", FINISHER_PASS);
    syscon_action(w, "reboot", "syscon-reboot", FINISHER_RESET);
    begin(w, "soc");
    cell(w, "#address-cells", 2);
    cell(w, "#size-cells", 2);
    str(w, "compatible", "simple-bus");
    flag(w, "ranges");
    finisher(w);
    plic(w);
    serial(w);
    virtio(w, f->nvirtio);
    end(w);
    end(w);
}

int fdt_riscv64(const struct rv_fdt *f, u8 *dst, struct err *err) {
    struct w w = {.fdt = dst};
    keep(&w, fdt_create(dst, RV_FDT_MAX));
    keep(&w, fdt_finish_reservemap(dst));
    tree(&w, f);
    keep(&w, fdt_finish(dst));
    if (w.err)
        return err_set(err, ERR_LIMIT, "cannot make the device tree: %s", fdt_strerror(w.err));
    return 0;
}
