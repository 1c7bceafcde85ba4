// The parts of the x86_64 board: its addresses, kernels of all kinds, what they find in low memory.
#ifndef BERTH_MACHINE_X86_64_H
#define BERTH_MACHINE_X86_64_H

#include "base/buf.h"
#include "machine/load.h"

#define X86_VIRTIO_BASE 0xfed00000u
#define X86_VIRTIO_STEP 0x1000u
enum { X86_UART_PORT = 0x3f8, X86_UART_PORTS = 8, X86_UART_IRQ = 4, X86_VIRTIO_IRQ = 16 };
#define X86_MAX_MEMORY (4064ull << 20) // the devices begin 12 MiB above
#define X86_LOW_END    0x100000u       // the board's tables are below; so they say to kernels
#define X86_LOWEST     0xa0000u // kernels may lie here and above: linkers put headers below 1 MiB
enum { X86_COMMAND_LINE_MAX = 2048 }; // COMMAND_LINE_SIZE of x86 Linux, the NUL included

enum x86_kernel_kind {
    X86_KERNEL_LINUX,     // long mode, boot parameters ("zero page")
    X86_KERNEL_PVH,       // protected mode, start info
    X86_KERNEL_MULTIBOOT, // protected mode, multiboot information
    X86_KERNEL_ELF32,     // protected mode, start info, at the ELF file's entry
    X86_KERNEL_ELF64,     // long mode, start info, at the ELF file's entry
};

enum { X86_SETUP_OFFSET = 0x1f1, X86_SETUP_END = 0x290 };

struct x86_kernel {
    enum x86_kernel_kind kind;
    struct kernel_image at;
    gpa initrd_end; // the initramfs ends here or below
    // A bzImage's setup header, which starts the boot parameters; else empty.
    u8 setup[X86_SETUP_END - X86_SETUP_OFFSET];
    u32 setup_len;
};

// A bzImage, or an ELF file: vmlinux, with a PVH note, with a multiboot header, or plain.
int load_x86_64(struct bus *bus, const u8 *image, size_t len, struct x86_kernel *out,
                struct err *err);

struct x86_boot {
    const struct x86_kernel *kernel;
    const char *cmdline;
    gpa initrd;
    u64 initrd_len;
    unsigned nvirtio;
    u8 seed[32];
};

// Fills low memory; what cpu_boot takes (guest/x86_64.h) is in *arg0 and *arg1.
int boot_x86_64(struct bus *bus, const struct x86_boot *b, u64 *arg0, u64 *arg1, struct err *err);

#endif
