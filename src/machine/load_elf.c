// Role: ELF executables into guest RAM (System V gABI, ELF-64 object file format). Depends on
// mem. The file is the user's or an image's: every offset is checked against the file and against
// RAM before anything is copied. Fresh RAM is zero, so the part past p_filesz needs no clearing.
#include "machine/load_elf.h"

#include <string.h>

#include "base/buf.h"

enum { EHDR_SIZE = 64, EHDR32_SIZE = 52, PHDR_SIZE = 56, PHDR32_SIZE = 32, MAX_PHDRS = 128 };
enum { ELFCLASS32 = 1, ELFCLASS64 = 2, ELFDATA2LSB = 1, ET_EXEC = 2, ET_DYN = 3 };
enum { PT_LOAD = 1, PT_NOTE = 4 };

struct phdr {
    u32 type;
    u64 offset, vaddr, paddr, filesz, memsz;
};

static struct phdr get_phdr(const struct elf *e, unsigned i) {
    const u8 *p = e->file + e->phoff + (size_t)i * (e->wide ? PHDR_SIZE : PHDR32_SIZE);
    if (e->wide)
        return (struct phdr){
            .type = get_le32(p),
            .offset = get_le64(p + 8),
            .vaddr = get_le64(p + 16),
            .paddr = get_le64(p + 24),
            .filesz = get_le64(p + 32),
            .memsz = get_le64(p + 40),
        };
    return (struct phdr){
        .type = get_le32(p),
        .offset = get_le32(p + 4),
        .vaddr = get_le32(p + 8),
        .paddr = get_le32(p + 12),
        .filesz = get_le32(p + 16),
        .memsz = get_le32(p + 20),
    };
}

int load_too_small(struct err *err, const char *thing, u64 bytes_needed, u64 ram_size) {
    return err_set(err, ERR_NOMEM,
                   "%s needs %llu MiB of memory and the machine has %llu: give it more (--memory)",
                   thing, (unsigned long long)((bytes_needed + 0xfffff) >> 20),
                   (unsigned long long)(ram_size >> 20));
}

int elf_parse(const u8 *p, size_t len, const struct elf_kind *kind, struct elf *out,
              struct err *err) {
    bool wide = !kind->machine32 || (len > 4 && p[4] == ELFCLASS64);
    unsigned machine = wide ? kind->machine64 : kind->machine32;
    if (len < (wide ? EHDR_SIZE : EHDR32_SIZE) || p[4] != (wide ? ELFCLASS64 : ELFCLASS32) ||
        p[5] != ELFDATA2LSB)
        return err_set(err, ERR_INVALID,
                       "not a %s kernel image: not a complete %s little-endian ELF file",
                       kind->what, kind->machine32 ? "32-bit or 64-bit" : "64-bit");
    if (get_le16(p + 18) != machine)
        return err_set(err, ERR_INVALID,
                       "not a %s kernel image: an ELF file for machine %u (expected %u)",
                       kind->what, get_le16(p + 18), machine);
    unsigned type = get_le16(p + 16);
    if (type != ET_EXEC && type != ET_DYN)
        return err_set(err, ERR_INVALID,
                       "not a %s kernel image: an ELF file of type %u, not an executable",
                       kind->what, type);
    *out = (struct elf){
        .file = p,
        .len = len,
        .what = kind->what,
        .wide = wide,
        .entry = wide ? get_le64(p + 24) : get_le32(p + 24),
        .phoff = wide ? get_le64(p + 32) : get_le32(p + 28),
        .phnum = get_le16(p + (wide ? 56 : 44)),
    };
    unsigned size = get_le16(p + (wide ? 54 : 42)), expected = wide ? PHDR_SIZE : PHDR32_SIZE;
    if (size != expected || out->phnum == 0 || out->phnum > MAX_PHDRS || out->phoff > len ||
        (u64)out->phnum * size > len - out->phoff)
        return err_set(err, ERR_CORRUPT,
                       "the ELF kernel is damaged or truncated: its program headers are unusable");
    return 0;
}

static int check_segment(struct bus *bus, gpa lowest, const struct phdr *h, size_t len,
                         struct err *err) {
    if (h->offset > len || h->filesz > len - h->offset)
        return err_set(err, ERR_CORRUPT,
                       "the ELF kernel is truncated: a segment ends past its %zu bytes", len);
    if (h->filesz > h->memsz)
        return err_set(err, ERR_CORRUPT,
                       "the ELF kernel is damaged: a segment's file part is "
                       "larger than its memory");
    if (h->paddr >= lowest && bus_ram_ptr(bus, h->paddr, h->memsz)) return 0;
    gpa base = bus_ram_base(bus);
    u64 end = h->paddr + h->memsz;
    // A plausible address just past the end means too little RAM; anything else is the wrong file.
    if (h->paddr >= lowest && end > h->paddr && end - base < 1ull << 36)
        return load_too_small(err, "the ELF kernel", end - base, bus_ram_size(bus));
    return err_set(err, ERR_INVALID,
                   "the ELF kernel wants to be at physical address 0x%llx, outside RAM for kernels "
                   "(0x%llx and up): give the flat image (arch/*/boot/Image) for Linux, or link at "
                   "the start of RAM",
                   (unsigned long long)h->paddr, (unsigned long long)lowest);
}

// The entry point is a virtual address; the CPU starts without translation.
static gpa physical_entry(const struct elf *e) {
    for (unsigned i = 0; i < e->phnum; i++) {
        struct phdr h = get_phdr(e, i);
        if (h.type == PT_LOAD && e->entry >= h.vaddr && e->entry - h.vaddr < h.memsz)
            return e->entry - h.vaddr + h.paddr;
    }
    return e->entry;
}

int elf_load(const struct elf *e, struct bus *bus, gpa lowest, struct kernel_image *out,
             struct err *err) {
    unsigned loaded = 0;
    for (unsigned i = 0; i < e->phnum; i++) {
        struct phdr h = get_phdr(e, i);
        if (h.type != PT_LOAD || h.memsz == 0) continue;
        int rc = check_segment(bus, lowest, &h, e->len, err);
        if (rc) return rc;
        loaded++;
    }
    if (!loaded)
        return err_set(err, ERR_INVALID, "not a %s kernel image: an ELF file without code",
                       e->what);
    out->entry = physical_entry(e);
    if (!bus_ram_ptr(bus, out->entry, 4))
        return err_set(err, ERR_INVALID, "the ELF kernel's entry point 0x%llx is outside RAM",
                       (unsigned long long)out->entry);
    out->end = 0;
    for (unsigned i = 0; i < e->phnum; i++) {
        struct phdr h = get_phdr(e, i);
        if (h.type != PT_LOAD || h.memsz == 0) continue;
        bus_write(bus, h.paddr, e->file + h.offset, h.filesz);
        if (h.paddr + h.memsz > out->end) out->end = h.paddr + h.memsz;
    }
    return 0;
}

// gABI, "Note section": three words, then name and contents, each padded to words.
static bool note_in(const u8 *p, u64 len, const char *name, u32 type, const u8 **desc, u32 *size) {
    size_t name_size = strlen(name) + 1;
    while (len >= 12) {
        u64 n = get_le32(p), d = get_le32(p + 4), padded = (n + 3) & ~3ull;
        if (padded > len - 12 || d > len - 12 - padded) return false;
        const u8 *text = p + 12;
        if (get_le32(p + 8) == type && n == name_size && memcmp(text, name, name_size) == 0) {
            *desc = text + padded;
            *size = (u32)d;
            return true;
        }
        u64 step = 12 + padded + ((d + 3) & ~3ull);
        if (step > len) return false;
        p += step;
        len -= step;
    }
    return false;
}

bool elf_note(const struct elf *e, const char *name, u32 type, const u8 **desc, u32 *size) {
    for (unsigned i = 0; i < e->phnum; i++) {
        struct phdr h = get_phdr(e, i);
        if (h.type != PT_NOTE || h.offset > e->len || h.filesz > e->len - h.offset) continue;
        if (note_in(e->file + h.offset, h.filesz, name, type, desc, size)) return true;
    }
    return false;
}
