// CPUID (SDM 2A; APM 3 appendix E): says what is there, no more. Features follow from ISA_PRESENT:
// a set of instructions belongs there when every row of it in the table has its meaning.
#include "guest/x86_64.h"
#include "guest/x86_64/decode.h"
#include "guest/x86_64/isa.h"
#include "guest/x86_64/state.h"

static u32 if_isa(enum x86_isa isa, unsigned bit) { return x86_isa_present(isa) ? 1u << bit : 0; }

static void put_text(u32 out[4], const char *t, const u8 order[3]) {
    for (unsigned i = 0; i < 3; i++)
        out[order[i]] = (u32)(u8)t[4 * i] | (u32)(u8)t[4 * i + 1] << 8 |
                        (u32)(u8)t[4 * i + 2] << 16 | (u32)(u8)t[4 * i + 3] << 24;
}

// Family 17h as CPUID codes it: 0xf and an extended family of 8.
#define SIGNATURE 0x00830f10u

static u32 features_1_ecx(const struct x86_state *s) {
    u32 v = if_isa(ISA_SSE3, 0) | if_isa(ISA_PCLMUL, 1) | if_isa(ISA_SSSE3, 9) |
            if_isa(ISA_FMA, 12) | if_isa(ISA_CX16, 13) | 1u << 17 /* PCID */ |
            if_isa(ISA_SSE41, 19) | if_isa(ISA_SSE42, 20) | 1u << 21 /* x2APIC */ |
            if_isa(ISA_MOVBE, 22) | if_isa(ISA_POPCNT, 23) | 1u << 24 /* TSC deadline */ |
            if_isa(ISA_AES, 25) | if_isa(ISA_XSAVE, 26) | if_isa(ISA_AVX, 28) |
            if_isa(ISA_F16C, 29) | if_isa(ISA_RDRAND, 30) | 1u << 31 /* hypervisor */;
    if (s->cr4 & CR4_OSXSAVE) v |= 1u << 27;
    return v;
}

static u32 features_1_edx(void) {
    return if_isa(ISA_X87, 0) | 1u << 2 /* DE */ | 1u << 3 /* PSE */ | 1u << 4 /* TSC */ |
           1u << 5 /* MSR */ | 1u << 6 /* PAE */ | 1u << 8 /* CX8 */ | 1u << 9 /* APIC */ |
           1u << 11 /* SEP */ | 1u << 12 /* MTRR */ | 1u << 13 /* PGE */ | 1u << 15 /* CMOV */ |
           1u << 16 /* PAT */ | if_isa(ISA_CLFLUSH, 19) | if_isa(ISA_MMX, 23) |
           if_isa(ISA_SSE, 24) /* FXSR */ | if_isa(ISA_SSE, 25) | if_isa(ISA_SSE2, 26);
}

static void leaf_7(u32 out[4]) {
    out[1] = if_isa(ISA_FSGSBASE, 0) | 1u << 1 /* TSC_ADJUST */ | if_isa(ISA_BMI1, 3) |
             if_isa(ISA_AVX2, 5) | 1u << 7 /* SMEP */ | if_isa(ISA_BMI2, 8) | 1u << 9 /* ERMS */ |
             if_isa(ISA_INVPCID, 10) | if_isa(ISA_RDSEED, 18) | if_isa(ISA_ADX, 19) |
             1u << 20 /* SMAP */ | if_isa(ISA_CLFLUSH, 23) | if_isa(ISA_CLFLUSH, 24) /* CLWB */ |
             if_isa(ISA_SHA, 29);
    out[2] = 1u << 2 /* UMIP */ | if_isa(ISA_RDPID, 22);
    out[3] = 1u << 4; /* short REP MOVSB is fast */
}

static void leaf_d(const struct x86_state *s, u32 sub, u32 out[4]) {
    if (!x86_isa_present(ISA_XSAVE)) return;
    bool avx = x86_isa_present(ISA_AVX);
    if (sub == 0) {
        out[0] = avx ? 7 : 3;
        out[1] = s->xcr0 & 4 ? 832 : 576;
        out[2] = avx ? 832 : 576;
    } else if (sub == 1) {
        out[0] = 1u << 0 /* XSAVEOPT */ | 1u << 1 /* XSAVEC */ | 1u << 2 /* XGETBV(1) */ |
                 1u << 3 /* XSAVES */;
        out[1] = s->xcr0 & 4 ? 832 : 576;
    } else if (sub == 2 && avx) {
        out[0] = 256;
        out[1] = 576;
    }
}

static u32 features_ext_ecx(void) {
    return 1u << 0 /* LAHF */ | if_isa(ISA_LZCNT, 5) | 1u << 8 /* 3DNOWPREFETCH */;
}

static u32 features_ext_edx(void) {
    u32 common = features_1_edx() & 0x0183f3ffu & ~(1u << 11);
    return common | 1u << 11 /* SYSCALL */ | 1u << 20 /* NX */ | 1u << 26 /* 1 GiB pages */ |
           1u << 27 /* RDTSCP */ | 1u << 29 /* long mode */;
}

static void extended(u32 leaf, u32 out[4]) {
    static const char name[48] = "Berth virtual CPU";
    static const u8 abcd[3] = {0, 1, 2};
    switch (leaf) {
    case 0x80000000u:
        out[0] = 0x80000008u;
        put_text(out, "AuthenticAMD", (const u8[]){1, 3, 2});
        break;
    case 0x80000001u:
        out[0] = SIGNATURE;
        out[2] = features_ext_ecx();
        out[3] = features_ext_edx();
        break;
    case 0x80000002u:
    case 0x80000003u:
    case 0x80000004u: {
        const char *t = name + 16 * (leaf - 0x80000002u);
        put_text(out, t, abcd);
        out[3] = (u32)(u8)t[12] | (u32)(u8)t[13] << 8 | (u32)(u8)t[14] << 16 | (u32)(u8)t[15] << 24;
        break;
    }
    case 0x80000007u:
        out[3] = 1u << 8;
        break; // the TSC runs at one rate
    case 0x80000008u:
        out[0] = X86_PHYS_BITS | 48 << 8;
        break;
    default:
        break;
    }
}

void x86_cpuid(struct x86_state *s, u32 leaf, u32 sub, u32 out[4]) {
    memset(out, 0, 4 * sizeof out[0]);
    if (leaf >= 0x80000000u) {
        extended(leaf, out);
        return;
    }
    switch (leaf) {
    case 0:
        out[0] = 0xd;
        put_text(out, "AuthenticAMD", (const u8[]){1, 3, 2});
        break;
    case 1:
        out[0] = SIGNATURE;
        out[1] = 8 << 8 | 1 << 16; // CLFLUSH of 64 bytes; one logical processor
        out[2] = features_1_ecx(s);
        out[3] = features_1_edx();
        break;
    case 6:
        out[0] = 1u << 2; // the APIC timer never stops: without it Linux wants a PIT
        break;
    case 7:
        if (sub == 0) leaf_7(out);
        break;
    case 0xd:
        leaf_d(s, sub, out);
        break;
    case X86_KVM_LEAF:
        out[0] = X86_KVM_LEAF + 1;
        put_text(out, "KVMKVMKVM\0\0\0", (const u8[]){1, 2, 3});
        break;
    case X86_KVM_LEAF + 1:
        out[0] = X86_KVM_FEATURES;
        break;
    default:
        break;
    }
}
