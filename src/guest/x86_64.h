// What an x86_64 CPU and the board around it agree on beside the hooks of struct cpu_board
// (exec/cpu.h): interrupt lines, the time-stamp counter, what CPUID may promise of the board, and
// the state in which cpu_boot starts. docs/x86_64_board.md tells it in order.
#ifndef BERTH_GUEST_X86_64_H
#define BERTH_GUEST_X86_64_H

#include "base/types.h"

// Lines of cpu_set_irq. INTR only says that cpu_board.irq_pending has to be asked again; NMI is an
// edge: each call with `true` is one NMI.
enum { X86_LINE_INTR = 0, X86_LINE_NMI = 2 };

// The time-stamp counter counts nanoseconds of board time, plus what the guest added by writing it.
// It belongs to the board, because the APIC timer's deadlines are in its units: rdtsc and rdtscp
// are msr_read(X86_MSR_TSC). Also the board's: IA32_TSC_ADJUST (0x3b), IA32_APIC_BASE (0x1b),
// IA32_TSC_DEADLINE (0x6e0), x2APIC (0x800-0x8ff), KVM's clock (0x4b564d00, 0x4b564d01).
enum { X86_MSR_TSC = 0x10, X86_TSC_HZ = 1000000000 };

// CR8 is bits 7:4 of this MSR, which the board answers in both modes of the APIC (a guest should
// find it in x2APIC mode only).
enum { X86_MSR_TPR = 0x808 };

// CPUID leaf X86_KVM_LEAF: eax = X86_KVM_LEAF + 1, ebx ecx edx = "KVMKVMKVM\0\0\0"; the next leaf:
// eax = X86_KVM_FEATURES (no I/O delays, MSRs 0x4b564d00 and 0x4b564d01, a stable clock), the rest
// 0. Linux takes from it the frequency of the TSC, the time of day, and that x2APIC may be used.
enum { X86_KVM_LEAF = 0x40000000, X86_KVM_FEATURES = 1 << 1 | 1 << 3 | 1 << 24 };

// cpu_boot(cpu, pc, arg0, arg1): rax = the low half of arg0, rbx = rsi = arg1, the other general
// registers 0, rflags = 2. pc is a physical address. EFER, CR4 and the rest as after reset, but:
//   protected mode  CR0 = PE | ET
//   long mode       CR0 = PG | PE | ET, CR3 = X86_BOOT_CR3, CR4 = PAE, EFER = LME | LMA
// In both: cs = X86_BOOT_CS (execute, read; of 32 or 64 bits), ds es fs gs ss = X86_BOOT_DS (read,
// write), all with base 0, limit 4 GiB and accessed; tr = X86_BOOT_TR (busy 32-bit TSS, base 0,
// limit 0x67), no LDT; GDTR = X86_BOOT_GDT, X86_BOOT_GDT_LIMIT, where the board put descriptors to
// match; IDTR = 0, 0.
#define X86_BOOT_LONG (1ull << 32) // in arg0
enum { X86_BOOT_CS = 0x10, X86_BOOT_DS = 0x18, X86_BOOT_TR = 0x20 };
enum { X86_BOOT_GDT = 0x500, X86_BOOT_GDT_LIMIT = 0x27, X86_BOOT_CR3 = 0x9000 };

#endif
