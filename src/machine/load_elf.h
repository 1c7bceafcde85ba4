// ELF files as kernels.
#ifndef BERTH_MACHINE_LOAD_ELF_H
#define BERTH_MACHINE_LOAD_ELF_H

#include "machine/load.h"

enum { EM_386 = 3, EM_X86_64 = 62, EM_RISCV = 243 };

struct elf_kind {
    const char *what;         // in messages ("riscv64")
    u16 machine64, machine32; // e_machine of 64-bit files, and of 32-bit ones or 0: refused
};

struct elf {
    const u8 *file; // borrowed
    size_t len;
    const char *what;
    bool wide; // 64 bits
    u64 entry;
    u64 phoff;
    unsigned phnum;
};

// Checks the headers; `p` begins with the ELF magic.
int elf_parse(const u8 *p, size_t len, const struct elf_kind *kind, struct elf *out,
              struct err *err);

// Loads by physical addresses, none of which may lie below `lowest`.
int elf_load(const struct elf *e, struct bus *bus, gpa lowest, struct kernel_image *out,
             struct err *err);

// The first note of that name and type: its contents, inside the file.
bool elf_note(const struct elf *e, const char *name, u32 type, const u8 **desc, u32 *size);

#endif
