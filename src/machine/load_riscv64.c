// Role: recognises riscv64 kernel images. Flat images:
// Documentation/arch/riscv/boot-image-header.rst of Linux. Depends on mem.
#include <string.h>

#include "base/buf.h"
#include "machine/load.h"
#include "machine/load_elf.h"

enum { TEXT_OFFSET = 8, IMAGE_SIZE = 16, FLAGS = 24, MAGIC2 = 56, HEADER_SIZE = 64 };
#define FLAG_BIG_ENDIAN 1u
#define MAX_KERNEL      (4ull << 30) // against nonsense in the header

static int load_flat(struct bus *bus, const u8 *p, size_t len, struct kernel_image *out,
                     struct err *err) {
    u64 offset = get_le64(p + TEXT_OFFSET), size = get_le64(p + IMAGE_SIZE);
    if (get_le64(p + FLAGS) & FLAG_BIG_ENDIAN)
        return err_set(err, ERR_UNSUPPORTED, "the kernel image is big-endian");
    if (offset > MAX_KERNEL || size > MAX_KERNEL)
        return err_set(err, ERR_CORRUPT,
                       "not a riscv64 kernel image: its header gives a size of %llu MiB",
                       (unsigned long long)((offset + size) >> 20));
    // image_size covers the zeroed data, so a file is shorter; much shorter means truncated, but
    // the header does not tell by how much.
    if (size < len) size = len;
    gpa at = bus_ram_base(bus) + offset;
    if (!bus_ram_ptr(bus, at, size))
        return load_too_small(err, "the kernel", offset + size, bus_ram_size(bus));
    bus_write(bus, at, p, len);
    out->entry = at;
    out->end = at + size;
    return 0;
}

static const char *other_kind(const u8 *p, size_t len) {
    static const struct {
        const char *magic;
        u8 len;
        const char *kind;
    } kinds[] = {
        {"\x1f\x8b", 2, "it is compressed with gzip: decompress it first (gunzip)"},
        {"\x28\xb5\x2f\xfd", 4, "it is compressed with zstd: decompress it first (unzstd)"},
        {"\xfd\x37zXZ", 5, "it is compressed with xz: decompress it first (unxz)"},
        {"BZh", 3, "it is compressed with bzip2: decompress it first (bunzip2)"},
        {"\x04\x22\x4d\x18", 4, "it is compressed with lz4: decompress it first (unlz4)"},
        {"MZ", 2, "it is a boot image of another architecture or an EFI program"},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (len >= kinds[i].len && memcmp(p, kinds[i].magic, kinds[i].len) == 0)
            return kinds[i].kind;
    return "it has neither the Linux Image magic nor an ELF header";
}

static int load_elf(struct bus *bus, const u8 *p, size_t len, struct kernel_image *out,
                    struct err *err) {
    static const struct elf_kind kind = {"riscv64", EM_RISCV, 0};
    struct elf e;
    int rc = elf_parse(p, len, &kind, &e, err);
    if (rc) return rc;
    return elf_load(&e, bus, bus_ram_base(bus), out, err);
}

int load_riscv64(struct bus *bus, const u8 *image, size_t len, struct kernel_image *out,
                 struct err *err) {
    if (len >= HEADER_SIZE && memcmp(image + MAGIC2, "RSC\x05", 4) == 0)
        return load_flat(bus, image, len, out, err);
    if (len >= 6 && memcmp(image,
                           "\x7f"
                           "ELF",
                           4) == 0)
        return load_elf(bus, image, len, out, err);
    return err_set(err, ERR_INVALID, "not a riscv64 kernel image: %s", other_kind(image, len));
}
