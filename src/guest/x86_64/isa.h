// Which sets of instructions are there: CPUID's answers and the lifter's #UD follow from it.
#ifndef BERTH_GUEST_X86_64_ISA_H
#define BERTH_GUEST_X86_64_ISA_H

#include "guest/x86_64/decode.h"

// A set is present when every one of its rows has its meaning.
static inline bool x86_isa_present(enum x86_isa isa) {
    switch (isa) {
    case ISA_I:
    case ISA_SYS:
    case ISA_FSGSBASE:
    case ISA_CLFLUSH:
    case ISA_POPCNT:
    case ISA_LZCNT:
    case ISA_BMI1:
    case ISA_BMI2:
    case ISA_MOVBE:
    case ISA_ADX:
    case ISA_CX16:
    case ISA_RDRAND:
    case ISA_RDSEED:
    case ISA_RDPID:
    case ISA_INVPCID:
    case ISA_SSE:
    case ISA_SSE2:
    case ISA_XSAVE:
    case ISA_X87:
    case ISA_MMX:
    case ISA_SSE3:
    case ISA_SSSE3:
    case ISA_SSE41:
    case ISA_SSE42:
    case ISA_AES:
    case ISA_PCLMUL:
    case ISA_SHA:
    case ISA_AVX:
    case ISA_AVX2:
    case ISA_F16C:
    case ISA_FMA:
        return true;
    default:
        return false;
    }
}

#endif
