// Role: what an x86_64 kernel finds in the first MiB (docs/x86_64_board.md has the map):
// descriptors and page tables for the CPU's first instructions, the command line, an MP table, and
// the structure of its boot protocol. Depends on mem. Linux:
// Documentation/arch/x86/{boot,zero-page}.rst; PVH: Xen's start_info.h; Multiboot Specification
// 0.6.96; Intel MultiProcessor Specification 1.4. All of it is below X86_LOWEST, where load_x86_64
// lets no kernel be, and RAM is at least 2 MiB.
#include <assert.h>
#include <string.h>

#include "base/compiler.h"
#include "guest/x86_64.h"
#include "hw/ioapic.h"
#include "hw/lapic.h"
#include "machine/x86_64.h"

enum {
    INFO = 0x6000,       // start info or multiboot information
    MODULES = 0x6100,    // of either
    MEMORY_MAP = 0x6200, // of either
    LOADER_NAME = 0x6400,
    BOOT_PARAMS = 0x7000, // one page
    SETUP_DATA = 0x8000,
    TABLES = X86_BOOT_CR3, // PML4, PDPT, four page directories
    COMMAND_LINE = 0x20000,
    MP_TABLE = 0x9fc00, // the last KiB of base memory, one of the places where it is looked for
};
enum { PAGE = 4096 };

struct range {
    u64 base, size;
    u32 type; // 1 RAM, 2 reserved, in all three protocols
};
enum { RANGES = 3 };

static void memory_map(struct bus *bus, struct range r[RANGES]) {
    r[0] = (struct range){0, MP_TABLE, 1};
    r[1] = (struct range){MP_TABLE, X86_LOW_END - MP_TABLE, 2};
    r[2] = (struct range){X86_LOW_END, bus_ram_size(bus) - X86_LOW_END, 1};
}

static u8 *low(struct bus *bus, gpa at, u64 size) {
    u8 *p = bus_ram_ptr(bus, at, size);
    assert(p && at + size <= X86_LOWEST && "the tables fit low memory");
    return p;
}

// The CPU's.

static void put_descriptors(struct bus *bus, bool long_mode) {
    u8 *gdt = low(bus, X86_BOOT_GDT, X86_BOOT_GDT_LIMIT + 1);
    // Base 0, limit 4 GiB, accessed; code with L in long mode, with D otherwise.
    put_le64(gdt + X86_BOOT_CS, long_mode ? 0x00af9b000000ffff : 0x00cf9b000000ffff);
    put_le64(gdt + X86_BOOT_DS, 0x00cf93000000ffff);
    put_le64(gdt + X86_BOOT_TR, 0x00008b0000000067);
}

static void put_page_tables(struct bus *bus) {
    enum { PRESENT_WRITE = 3, LARGE = 1 << 7, GIBS = 4 };
    u8 *t = low(bus, TABLES, (2 + GIBS) * PAGE);
    put_le64(t, (TABLES + PAGE) | PRESENT_WRITE);
    for (unsigned i = 0; i < GIBS; i++)
        put_le64(t + PAGE + 8 * i, (TABLES + (2 + i) * PAGE) | PRESENT_WRITE);
    for (u64 i = 0; i < GIBS * 512; i++)
        put_le64(t + 2 * PAGE + 8 * i, i << 21 | LARGE | PRESENT_WRITE);
}

// The MP table.

struct table {
    u8 *at;
    unsigned len, entries;
};

static u8 checksum(const u8 *p, size_t n) {
    u8 sum = 0;
    while (n--) sum += *p++;
    return (u8)-sum;
}

static u8 *mp_entry(struct table *t, u8 type, unsigned size) {
    u8 *e = t->at + t->len;
    e[0] = type;
    t->len += size;
    t->entries++;
    return e;
}

// `flags`: polarity in bits 1:0, trigger in 3:2; 0 is the bus's habit (ISA: edge, high).
static void mp_interrupt(struct table *t, unsigned pin, u16 flags) {
    u8 *e = mp_entry(t, 3, 8);
    put_le16(e + 2, flags);
    e[5] = (u8)pin; // ISA interrupt and pin are the same
    e[6] = 1;       // I/O APIC
    e[7] = (u8)pin;
}

static void put_mp_table(struct bus *bus, unsigned nvirtio) {
    enum { POINTER = 16, HEADER = 44, LEVEL_HIGH = 3 << 2 | 1, NMI = 1, ALL = 0xff };
    u8 *pointer = low(bus, MP_TABLE, 1024);
    struct table t = {.at = pointer + POINTER, .len = HEADER};

    u8 *cpu = mp_entry(&t, 0, 20);
    cpu[2] = LAPIC_VERSION;
    cpu[3] = 3;                    // enabled, bootstrap processor
    put_le32(cpu + 4, 0x600);      // family 6
    put_le32(cpu + 8, 1 | 1 << 9); // FPU, APIC
    u8 *isa = mp_entry(&t, 1, 8);
    memcpy(isa + 2, "ISA   ", 6);
    u8 *io = mp_entry(&t, 2, 8);
    io[1] = 1; // its ID
    io[2] = IOAPIC_VERSION;
    io[3] = 1; // usable
    put_le32(io + 4, IOAPIC_BASE);
    mp_interrupt(&t, X86_UART_IRQ, 0);
    for (unsigned i = 0; i < nvirtio; i++) mp_interrupt(&t, X86_VIRTIO_IRQ + i, LEVEL_HIGH);
    u8 *nmi = mp_entry(&t, 4, 8);
    nmi[1] = NMI;
    nmi[6] = ALL;
    nmi[7] = 1; // LINT1
    assert(POINTER + t.len <= 1024 && "the MP table fits its KiB");

    memcpy(t.at, "PCMP", 4);
    put_le16(t.at + 4, (u16)t.len);
    t.at[6] = 4; // specification 1.4
    memcpy(t.at + 8, "BERTH   ", 8);
    memcpy(t.at + 16, "X86-64      ", 12);
    put_le16(t.at + 34, (u16)t.entries);
    put_le32(t.at + 36, LAPIC_BASE);
    t.at[7] = checksum(t.at, t.len);

    memcpy(pointer, "_MP_", 4);
    put_le32(pointer + 4, MP_TABLE + POINTER);
    pointer[8] = 1; // in units of 16 bytes
    pointer[9] = 4;
    pointer[10] = checksum(pointer, POINTER);
}

// Linux's boot parameters.

static void put_seed(struct bus *bus, const u8 seed[32]) {
    enum { SETUP_RNG_SEED = 9, HEADER = 16, LEN = 32 };
    u8 *d = low(bus, SETUP_DATA, HEADER + LEN);
    put_le64(d, 0); // the last
    put_le32(d + 8, SETUP_RNG_SEED);
    put_le32(d + 12, LEN);
    memcpy(d + HEADER, seed, LEN);
}

static void put_boot_params(struct bus *bus, const struct x86_boot *b) {
    enum { E820_ENTRIES = 0x1e8, E820 = 0x2d0, E820_SIZE = 20, UNKNOWN_LOADER = 0xff };
    enum { LOADED_HIGH = 1, PROTOCOL = 0x20f };
    u8 *z = low(bus, BOOT_PARAMS, PAGE);
    if (b->kernel->setup_len) {
        memcpy(z + X86_SETUP_OFFSET, b->kernel->setup, b->kernel->setup_len);
    } else { // vmlinux has no header of its own
        put_le16(z + 0x1fe, 0xaa55);
        memcpy(z + 0x202, "HdrS", 4);
        put_le16(z + 0x206, PROTOCOL);
        z[0x211] = LOADED_HIGH;
        put_le32(z + 0x238, X86_COMMAND_LINE_MAX - 1);
    }
    z[0x210] = UNKNOWN_LOADER;
    put_le32(z + 0x218, b->initrd_len ? (u32)b->initrd : 0);
    put_le32(z + 0x21c, (u32)b->initrd_len);
    put_le32(z + 0x228, COMMAND_LINE);
    put_le64(z + 0x250, SETUP_DATA);
    put_seed(bus, b->seed);

    struct range map[RANGES];
    memory_map(bus, map);
    z[E820_ENTRIES] = RANGES;
    for (unsigned i = 0; i < RANGES; i++) {
        u8 *e = z + E820 + i * E820_SIZE;
        put_le64(e, map[i].base);
        put_le64(e + 8, map[i].size);
        put_le32(e + 16, map[i].type);
    }
}

static void put_start_info(struct bus *bus, const struct x86_boot *b) {
    enum { MAGIC = 0x336ec578, VERSION = 1, ENTRY = 24 };
    u8 *s = low(bus, INFO, 56), *mod = low(bus, MODULES, 32);
    u8 *mm = low(bus, MEMORY_MAP, RANGES * ENTRY);
    put_le32(s, MAGIC);
    put_le32(s + 4, VERSION);
    if (b->initrd_len) {
        put_le32(s + 12, 1);
        put_le64(s + 16, MODULES);
        put_le64(mod, b->initrd);
        put_le64(mod + 8, b->initrd_len);
    }
    put_le64(s + 24, COMMAND_LINE);
    put_le64(s + 40, MEMORY_MAP);
    put_le32(s + 48, RANGES);

    struct range map[RANGES];
    memory_map(bus, map);
    for (unsigned i = 0; i < RANGES; i++) {
        put_le64(mm + i * ENTRY, map[i].base);
        put_le64(mm + i * ENTRY + 8, map[i].size);
        put_le32(mm + i * ENTRY + 16, map[i].type);
    }
}

static void put_multiboot_info(struct bus *bus, const struct x86_boot *b) {
    enum { MEMORY = 1, CMDLINE = 4, MODS = 8, MMAP = 1 << 6, NAME = 1 << 9, ENTRY = 24 };
    u8 *s = low(bus, INFO, 88), *mod = low(bus, MODULES, 16);
    u8 *mm = low(bus, MEMORY_MAP, RANGES * ENTRY);
    struct range map[RANGES];
    memory_map(bus, map);
    put_le32(s, MEMORY | CMDLINE | MODS | MMAP | NAME);
    put_le32(s + 4, (u32)(map[0].size >> 10)); // KiB of lower and upper memory
    put_le32(s + 8, (u32)(map[2].size >> 10));
    put_le32(s + 16, COMMAND_LINE);
    if (b->initrd_len) {
        put_le32(s + 20, 1);
        put_le32(mod, (u32)b->initrd);
        put_le32(mod + 4, (u32)(b->initrd + b->initrd_len));
    }
    put_le32(s + 24, MODULES);
    put_le32(s + 44, RANGES * ENTRY);
    put_le32(s + 48, MEMORY_MAP);
    put_le32(s + 64, LOADER_NAME);
    memcpy(low(bus, LOADER_NAME, 6), "berth", 6);
    for (unsigned i = 0; i < RANGES; i++) {
        u8 *e = mm + i * ENTRY;
        put_le32(e, ENTRY - 4); // size of what follows
        put_le64(e + 4, map[i].base);
        put_le64(e + 12, map[i].size);
        put_le32(e + 20, map[i].type);
    }
}

// The command line: Linux is told about virtio devices there; a multiboot kernel expects its own
// name in front.
static int put_cmdline(struct bus *bus, const struct x86_boot *b, struct err *err) {
    struct buf line = {0};
    bool multiboot = b->kernel->kind == X86_KERNEL_MULTIBOOT;
    if (multiboot) buf_put_str(&line, *b->cmdline ? "kernel " : "kernel");
    buf_put_str(&line, b->cmdline);
    for (unsigned i = 0; i < b->nvirtio && !multiboot; i++)
        buf_printf(&line, "%svirtio_mmio.device=4K@0x%x:%u", line.len ? " " : "",
                   X86_VIRTIO_BASE + i * X86_VIRTIO_STEP, X86_VIRTIO_IRQ + i);
    const char *text = buf_cstr(&line);
    int rc = 0;
    if (line.oom)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else if (line.len >= X86_COMMAND_LINE_MAX)
        rc = err_set(err, ERR_LIMIT,
                     "the kernel command line with its %u devices has %zu bytes and Linux takes at "
                     "most %d: shorten it (--append)",
                     b->nvirtio, line.len, X86_COMMAND_LINE_MAX - 1);
    else
        memcpy(low(bus, COMMAND_LINE, X86_COMMAND_LINE_MAX), text, line.len + 1);
    buf_free(&line);
    return rc;
}

int boot_x86_64(struct bus *bus, const struct x86_boot *b, u64 *arg0, u64 *arg1, struct err *err) {
    enum { MULTIBOOT_MAGIC = 0x2badb002 };
    enum x86_kernel_kind kind = b->kernel->kind;
    bool long_mode = kind == X86_KERNEL_LINUX || kind == X86_KERNEL_ELF64;
    int rc = put_cmdline(bus, b, err);
    if (rc) return rc;
    put_descriptors(bus, long_mode);
    put_mp_table(bus, b->nvirtio);
    if (long_mode) put_page_tables(bus);
    *arg0 = long_mode ? X86_BOOT_LONG : 0;
    *arg1 = INFO;
    switch (kind) {
    case X86_KERNEL_LINUX:
        put_boot_params(bus, b);
        *arg1 = BOOT_PARAMS;
        break;
    case X86_KERNEL_MULTIBOOT:
        put_multiboot_info(bus, b);
        *arg0 = MULTIBOOT_MAGIC;
        break;
    default:
        put_start_info(bus, b);
        break;
    }
    bus_ram_written(bus, 0, X86_LOWEST);
    return 0;
}
