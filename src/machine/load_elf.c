// Role: ELF64 executables into guest RAM (System V gABI, ELF-64 object file format). Depends on
// mem. The file is the user's or an image's: every offset is checked against the file and against
// RAM before anything is copied. Fresh RAM is zero, so the part past p_filesz needs no clearing.
#include <string.h>

#include "base/buf.h"
#include "machine/load.h"

enum { EHDR_SIZE = 64, PHDR_SIZE = 56, MAX_PHDRS = 128 };
enum { ELFCLASS64 = 2, ELFDATA2LSB = 1, ET_EXEC = 2, ET_DYN = 3, PT_LOAD = 1 };

struct phdr {
    u32 type;
    u64 offset, vaddr, paddr, filesz, memsz;
};

static struct phdr get_phdr(const u8 *p) {
    return (struct phdr){
        .type = get_le32(p),
        .offset = get_le64(p + 8),
        .vaddr = get_le64(p + 16),
        .paddr = get_le64(p + 24),
        .filesz = get_le64(p + 32),
        .memsz = get_le64(p + 40),
    };
}

int load_too_small(struct err *err, const char *thing, u64 bytes_needed, u64 ram_size) {
    return err_set(err, ERR_NOMEM,
                   "%s needs %llu MiB of memory and the machine has %llu: give it more (--memory)",
                   thing, (unsigned long long)((bytes_needed + 0xfffff) >> 20),
                   (unsigned long long)(ram_size >> 20));
}

static int check_segment(struct bus *bus, const struct phdr *h, size_t len, struct err *err) {
    if (h->offset > len || h->filesz > len - h->offset)
        return err_set(err, ERR_CORRUPT,
                       "the ELF kernel is truncated: a segment ends past its %zu bytes", len);
    if (h->filesz > h->memsz)
        return err_set(err, ERR_CORRUPT,
                       "the ELF kernel is damaged: a segment's file part is "
                       "larger than its memory");
    if (bus_ram_ptr(bus, h->paddr, h->memsz)) return 0;
    gpa base = bus_ram_base(bus);
    u64 end = h->paddr + h->memsz;
    // A plausible address just past the end means too little RAM; anything else is the wrong file.
    if (h->paddr >= base && end > h->paddr && end - base < 1ull << 36)
        return load_too_small(err, "the ELF kernel", end - base, bus_ram_size(bus));
    return err_set(err, ERR_INVALID,
                   "the ELF kernel wants to be at physical address 0x%llx, outside RAM "
                   "(0x%llx and up): give the flat image (arch/*/boot/Image) for Linux, or link at "
                   "the start of RAM",
                   (unsigned long long)h->paddr, (unsigned long long)base);
}

static int check_header(const u8 *p, size_t len, u16 elf_machine, const char *what,
                        struct err *err) {
    if (len < EHDR_SIZE || p[4] != ELFCLASS64 || p[5] != ELFDATA2LSB)
        return err_set(err, ERR_INVALID,
                       "not a %s kernel image: not a complete 64-bit little-endian ELF file", what);
    unsigned machine = get_le16(p + 18), type = get_le16(p + 16);
    if (machine != elf_machine)
        return err_set(err, ERR_INVALID,
                       "not a %s kernel image: an ELF file for machine %u (expected %u)", what,
                       machine, elf_machine);
    if (type != ET_EXEC && type != ET_DYN)
        return err_set(err, ERR_INVALID,
                       "not a %s kernel image: an ELF file of type %u, not an executable", what,
                       type);
    u64 off = get_le64(p + 32);
    unsigned count = get_le16(p + 56);
    if (get_le16(p + 54) != PHDR_SIZE || count == 0 || count > MAX_PHDRS || off > len ||
        (u64)count * PHDR_SIZE > len - off)
        return err_set(err, ERR_CORRUPT,
                       "the ELF kernel is damaged or truncated: its program headers are unusable");
    return 0;
}

// The entry point is a virtual address; the CPU starts without translation.
static gpa physical_entry(const u8 *phdrs, unsigned count, u64 entry) {
    for (unsigned i = 0; i < count; i++) {
        struct phdr h = get_phdr(phdrs + (size_t)i * PHDR_SIZE);
        if (h.type == PT_LOAD && entry >= h.vaddr && entry - h.vaddr < h.memsz)
            return entry - h.vaddr + h.paddr;
    }
    return entry;
}

int load_elf64(struct bus *bus, const u8 *p, size_t len, u16 elf_machine, const char *what,
               struct kernel_image *out, struct err *err) {
    int rc = check_header(p, len, elf_machine, what, err);
    if (rc) return rc;
    const u8 *phdrs = p + get_le64(p + 32);
    unsigned count = get_le16(p + 56), loaded = 0;
    for (unsigned i = 0; i < count; i++) {
        struct phdr h = get_phdr(phdrs + (size_t)i * PHDR_SIZE);
        if (h.type != PT_LOAD || h.memsz == 0) continue;
        rc = check_segment(bus, &h, len, err);
        if (rc) return rc;
        loaded++;
    }
    if (!loaded)
        return err_set(err, ERR_INVALID, "not a %s kernel image: an ELF file without code", what);
    out->entry = physical_entry(phdrs, count, get_le64(p + 24));
    if (!bus_ram_ptr(bus, out->entry, 4))
        return err_set(err, ERR_INVALID, "the ELF kernel's entry point 0x%llx is outside RAM",
                       (unsigned long long)out->entry);
    out->end = 0;
    for (unsigned i = 0; i < count; i++) {
        struct phdr h = get_phdr(phdrs + (size_t)i * PHDR_SIZE);
        if (h.type != PT_LOAD || h.memsz == 0) continue;
        bus_write(bus, h.paddr, p + h.offset, h.filesz);
        if (h.paddr + h.memsz > out->end) out->end = h.paddr + h.memsz;
    }
    return 0;
}
