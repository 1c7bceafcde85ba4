// Role: recognises x86_64 kernel images and puts them into RAM. Depends on mem. The formats: Linux,
// Documentation/arch/x86/boot.rst (bzImage; vmlinux has the same 64-bit entry); Xen,
// docs/misc/pvh.pandoc and xen/include/public/elfnote.h; Multiboot Specification 0.6.96.
// An ELF file may answer to several: Linux's own entry is preferred, because it is 64-bit and takes
// a seed for random numbers; a PVH note comes before a multiboot header, as in QEMU.
#include <string.h>

#include "base/compiler.h"
#include "machine/load_elf.h"
#include "machine/x86_64.h"

static bool is_elf(const u8 *p, size_t len) { return len >= 6 && memcmp(p, "\177ELF", 4) == 0; }

// bzImage. Offsets in the file, and later in the boot parameters.

enum {
    SETUP_SECTS = 0x1f1,
    BOOT_FLAG = 0x1fe,
    HEADER_LENGTH = 0x201, // bytes of the setup header after 0x202
    HEADER = 0x202,
    VERSION = 0x206,
    LOADFLAGS = 0x211,
    INITRD_ADDR_MAX = 0x22c,
    XLOADFLAGS = 0x236,
    PREF_ADDRESS = 0x258,
    INIT_SIZE = 0x260,
    SETUP_LEAST = 0x268, // of what is read here
};
enum { VERSION_2_12 = 0x20c, LOADED_HIGH = 1, XLF_KERNEL_64 = 1, ENTRY_64 = 0x200 };

static bool is_bzimage(const u8 *p, size_t len) {
    return len >= SETUP_LEAST && get_le16(p + BOOT_FLAG) == 0xaa55 &&
           memcmp(p + HEADER, "HdrS", 4) == 0;
}

static int load_bzimage(struct bus *bus, const u8 *p, size_t len, struct x86_kernel *out,
                        struct err *err) {
    if (get_le16(p + VERSION) < VERSION_2_12 || !(get_le16(p + XLOADFLAGS) & XLF_KERNEL_64) ||
        !(p[LOADFLAGS] & LOADED_HIGH))
        return err_set(err, ERR_UNSUPPORTED,
                       "the bzImage has no 64-bit entry (boot protocol 2.12): it is a kernel for "
                       "i386 or older than Linux 3.8");
    size_t sectors = p[SETUP_SECTS] ? p[SETUP_SECTS] : 4, offset = (sectors + 1) * 512;
    if (offset >= len)
        return err_set(err, ERR_CORRUPT, "the bzImage is truncated: it has %zu bytes", len);
    gpa at = get_le64(p + PREF_ADDRESS);
    u64 size = get_le32(p + INIT_SIZE), body = len - offset;
    if (size < body) size = body;
    if (at < X86_LOW_END || at > X86_MAX_MEMORY || body <= ENTRY_64)
        return err_set(err, ERR_CORRUPT, "the bzImage's header is damaged");
    if (!bus_ram_ptr(bus, at, size))
        return load_too_small(err, "the kernel", at + size, bus_ram_size(bus));
    bus_write(bus, at, p + offset, body);
    out->kind = X86_KERNEL_LINUX;
    out->at = (struct kernel_image){.entry = at + ENTRY_64, .end = at + size};
    out->initrd_end = (gpa)get_le32(p + INITRD_ADDR_MAX) + 1;
    u32 end = HEADER + p[HEADER_LENGTH];
    if (end > X86_SETUP_END) end = X86_SETUP_END;
    out->setup_len = end > X86_SETUP_OFFSET ? end - X86_SETUP_OFFSET : 0;
    memcpy(out->setup, p + X86_SETUP_OFFSET, out->setup_len);
    return 0;
}

// Multiboot.

enum { MB_MAGIC = 0x1badb002, MB_SEARCH = 8192, MB_ADDRESSES = 1 << 16 };
#define MB_REQUIRED 0xfff8u // required features besides aligned modules, memory and video

// The header's offset; -1: none.
static long multiboot_header(const u8 *p, size_t len) {
    size_t end = len < MB_SEARCH ? len : MB_SEARCH;
    for (size_t i = 0; i + 12 <= end; i += 4)
        if (get_le32(p + i) == MB_MAGIC &&
            MB_MAGIC + get_le32(p + i + 4) + get_le32(p + i + 8) == 0)
            return (long)i;
    return -1;
}

// With addresses in the header the file is a flat image, whatever else it is.
static int load_by_addresses(struct bus *bus, const u8 *p, size_t len, size_t at,
                             struct kernel_image *out, struct err *err) {
    if (len - at < 32) return err_set(err, ERR_CORRUPT, "the multiboot header is truncated");
    u32 header = get_le32(p + at + 12), load = get_le32(p + at + 16);
    u32 load_end = get_le32(p + at + 20), bss_end = get_le32(p + at + 24);
    u32 entry = get_le32(p + at + 28);
    if (load > header || header - load > at)
        return err_set(err, ERR_CORRUPT, "the multiboot header's addresses are inconsistent");
    size_t from = at - (header - load);
    u64 size = load_end ? (u64)load_end - load : len - from; // wraps when it is wrong: too large
    if (size > len - from)
        return err_set(err, ERR_CORRUPT, "the multiboot kernel is truncated: it has %zu bytes",
                       len);
    u64 end = load + size;
    if (bss_end > end) end = bss_end;
    if (load < X86_LOWEST)
        return err_set(err, ERR_UNSUPPORTED,
                       "the multiboot kernel wants to be at 0x%x, where the machine's tables are: "
                       "link it at 1 MiB or above",
                       load);
    if (!bus_ram_ptr(bus, load, end - load))
        return load_too_small(err, "the multiboot kernel", end, bus_ram_size(bus));
    if (!bus_ram_ptr(bus, entry, 4))
        return err_set(err, ERR_INVALID, "the multiboot kernel's entry point 0x%x is outside RAM",
                       entry);
    bus_write(bus, load, p + from, size);
    *out = (struct kernel_image){.entry = entry, .end = end};
    return 0;
}

static int check_multiboot(const u8 *p, size_t at, struct err *err) {
    u32 flags = get_le32(p + at + 4);
    if (flags & MB_REQUIRED)
        return err_set(err, ERR_UNSUPPORTED,
                       "the multiboot kernel requires features that this machine has not (flags "
                       "0x%x)",
                       flags);
    return 0;
}

// ELF.

enum { XEN_PHYS32_ENTRY = 18, LINUX_LTO_INFO = 0x101, LINUX_BUILD_SALT = 0x100 };

static bool is_linux(const struct elf *e) {
    const u8 *desc;
    u32 size;
    return e->wide && (elf_note(e, "Linux", LINUX_LTO_INFO, &desc, &size) ||
                       elf_note(e, "Linux", LINUX_BUILD_SALT, &desc, &size));
}

static bool pvh_entry(const struct elf *e, gpa *entry) {
    const u8 *desc;
    u32 size;
    if (!elf_note(e, "Xen", XEN_PHYS32_ENTRY, &desc, &size) || size < 4) return false;
    *entry = get_le32(desc);
    return true;
}

static int load_elf(struct bus *bus, const u8 *p, size_t len, long multiboot,
                    struct x86_kernel *out, struct err *err) {
    static const struct elf_kind kind = {"x86_64", EM_X86_64, EM_386};
    struct elf e;
    int rc = elf_parse(p, len, &kind, &e, err);
    if (rc) return rc;
    rc = elf_load(&e, bus, X86_LOWEST, &out->at, err);
    if (rc) return rc;
    if (is_linux(&e)) {
        out->kind = X86_KERNEL_LINUX;
    } else if (pvh_entry(&e, &out->at.entry)) {
        out->kind = X86_KERNEL_PVH;
        if (!bus_ram_ptr(bus, out->at.entry, 4))
            return err_set(err, ERR_INVALID, "the PVH entry point 0x%llx is outside RAM",
                           (unsigned long long)out->at.entry);
    } else if (multiboot >= 0) {
        out->kind = X86_KERNEL_MULTIBOOT;
        return check_multiboot(p, (size_t)multiboot, err);
    } else {
        out->kind = e.wide ? X86_KERNEL_ELF64 : X86_KERNEL_ELF32;
    }
    return 0;
}

int load_x86_64(struct bus *bus, const u8 *p, size_t len, struct x86_kernel *out, struct err *err) {
    *out = (struct x86_kernel){.initrd_end = X86_MAX_MEMORY};
    if (is_bzimage(p, len)) return load_bzimage(bus, p, len, out, err);
    long mb = multiboot_header(p, len);
    if (mb >= 0 && (get_le32(p + mb + 4) & MB_ADDRESSES)) {
        out->kind = X86_KERNEL_MULTIBOOT;
        int rc = check_multiboot(p, (size_t)mb, err);
        return rc ? rc : load_by_addresses(bus, p, len, (size_t)mb, &out->at, err);
    }
    if (is_elf(p, len)) return load_elf(bus, p, len, mb, out, err);
    if (len >= 2 && memcmp(p, "\x1f\x8b", 2) == 0)
        return err_set(err, ERR_INVALID,
                       "not an x86_64 kernel image: it is compressed with gzip: decompress it "
                       "first (gunzip)");
    return err_set(err, ERR_INVALID,
                   "not an x86_64 kernel image: it is neither a bzImage nor an ELF file "
                   "(vmlinux, PVH, multiboot)");
}
