// Runs cases on this machine's own CPU. A child maps the address space of x86_case.h and makes it
// all inside of signal handlers: the trap of one case ends in a handler that notes the result and
// returns into the next, through the context that the kernel restores. So no assembly is needed,
// and each register, flag and exception is what the CPU itself reported.
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/buf.h"
#include "guest/x86_64/state.h"
#include "support/x86_case.h"

struct shared {
    unsigned n, at; // at: the case being run, counted from 1
    struct x86_result *out;
    const struct x86_case *cases;
    u8 *code; // the code pages, writable here
};

static struct shared *sh; // one run at a time in this process

// What the registers are called there, in the order of their numbers.
static const int greg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                             REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                             REG_R12, REG_R13, REG_R14, REG_R15};

// The XSAVE image of a signal frame (SDM 1 13.4): XMM, header, upper halves of YMM.
enum { IMAGE_MXCSR = 24, IMAGE_XMM = 160, IMAGE_BV = 512, IMAGE_YMMH = 576 };

static void put_fpu(u8 *image, const struct x86_fpu *f) {
    memset(image, 0, 24);
    put_le16(image, f->cw);
    put_le16(image + 2, f->sw);
    image[4] = f->tag;
    for (unsigned i = 0; i < 8; i++) {
        put_le64(image + 32 + 16 * i, f->sig[i]);
        put_le64(image + 40 + 16 * i, f->se[i]);
    }
}

static void get_fpu(const u8 *image, struct x86_fpu *f) {
    memset(f, 0, sizeof *f);
    f->cw = 0x37f;
    if (!(image[IMAGE_BV] & 1)) return; // in its initial state
    f->cw = get_le16(image);
    f->sw = get_le16(image + 2);
    f->tag = image[4];
    for (unsigned i = 0; i < 8; i++) {
        f->sig[i] = get_le64(image + 32 + 16 * i);
        f->se[i] = get_le16(image + 40 + 16 * i);
    }
}

static void put_vectors(const ucontext_t *u, const struct x86_case *c) {
    u8 *image = (u8 *)u->uc_mcontext.fpregs;
    put_le64(image + IMAGE_BV, get_le64(image + IMAGE_BV) | 7);
    put_fpu(image, &c->fpu);
    put_le32(image + IMAGE_MXCSR, c->mxcsr);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(image + IMAGE_XMM + 16 * i, c->x[i], 16);
        memcpy(image + IMAGE_YMMH + 16 * i, c->x[i] + 2, 16);
    }
}

static void get_vectors(const ucontext_t *u, struct x86_result *o) {
    const u8 *image = (const u8 *)u->uc_mcontext.fpregs;
    bool upper = image[IMAGE_BV] & 4;
    get_fpu(image, &o->fpu);
    o->mxcsr = get_le32(image + IMAGE_MXCSR);
    for (unsigned i = 0; i < 16; i++) {
        memcpy(o->x[i], image + IMAGE_XMM + 16 * i, 16);
        if (!(image[IMAGE_BV] & 2)) memset(o->x[i], 0, 16);
        memset(o->x[i] + 2, 0, 16);
        if (upper) memcpy(o->x[i] + 2, image + IMAGE_YMMH + 16 * i, 16);
    }
}

static void note(const ucontext_t *u, int signal) {
    const struct x86_case *c = &sh->cases[sh->at - 1];
    struct x86_result *o = &sh->out[sh->at - 1];
    const greg_t *g = u->uc_mcontext.gregs;
    for (unsigned i = 0; i < 16; i++) o->r[i] = (u64)g[greg[i]];
    o->ip = (u64)g[REG_RIP];
    o->flags = (u64)g[REG_EFL];
    o->vector = signal == SIGALRM ? 255 : (u32)g[REG_TRAPNO];
    o->code = (u32)g[REG_ERR];
    o->cr2 = (u64)g[REG_CR2];
    get_vectors(u, o);
    memcpy(o->mem_bytes, (void *)(uintptr_t)c->mem, X86_SPAN);
    unsigned long gs = 0;
    syscall(SYS_arch_prctl, ARCH_GET_GS, &gs);
    o->gs = gs;
    memset(sh->code + (c->at - X86_CODE_AT), 0xcc, c->len);
}

static void start(ucontext_t *u) {
    const struct x86_case *c = &sh->cases[sh->at - 1];
    greg_t *g = u->uc_mcontext.gregs;
    for (unsigned i = 0; i < 16; i++) g[greg[i]] = (greg_t)c->r[i];
    g[REG_RIP] = c->at;
    g[REG_EFL] = (greg_t)(c->flags | FL_IF | 2);
    // CS and SS as Linux has them for 32-bit and 64-bit programs.
    g[REG_CSGSFS] = (greg_t)((u64)0x2b << 48 | (c->bits32 ? 0x23 : 0x33));
    put_vectors(u, c);
    memcpy((void *)(uintptr_t)c->mem, c->mem_bytes, X86_SPAN);
    memcpy(sh->code + (c->at - X86_CODE_AT), c->code, c->len);
    syscall(SYS_arch_prctl, ARCH_SET_GS, c->gs);
}

static void on_signal(int signal, siginfo_t *info, void *context) {
    (void)info;
    ucontext_t *u = context;
    if (sh->at) note(u, signal);
    if (sh->at == sh->n) _exit(0);
    sh->at++;
    start(u);
    alarm(2);
}

static bool map_at(u64 at, size_t len, int prot, int fd) {
    int flags =
        MAP_FIXED_NOREPLACE | MAP_POPULATE | (fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
    return mmap((void *)(uintptr_t)at, len, prot, flags, fd, 0) == (void *)(uintptr_t)at;
}

static bool make_memory(void) {
    int fd = memfd_create("code", 0);
    if (fd < 0 || ftruncate(fd, 8192) || !map_at(X86_CODE_AT, 8192, PROT_READ | PROT_EXEC, fd))
        return false;
    sh->code = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (sh->code == MAP_FAILED) return false;
    memset(sh->code, 0xcc, 8192);
    if (!map_at(X86_WINDOW_AT, X86_WINDOW_ALL, PROT_READ | PROT_WRITE, -1)) return false;
    memset((void *)(uintptr_t)X86_WINDOW_AT, 0, X86_WINDOW_ALL);
    return mprotect((void *)(uintptr_t)(X86_WINDOW_AT + X86_WINDOW_RW), 4096, PROT_READ) == 0;
}

static void child(void) {
    static u8 stack[65536];
    stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction sa = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigfillset(&sa.sa_mask);
    if (!make_memory() || sigaltstack(&ss, NULL)) _exit(2);
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGALRM};
    for (unsigned i = 0; i < sizeof signals / sizeof signals[0]; i++)
        sigaction(signals[i], &sa, NULL);
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(0x2b)); // 32-bit code needs them
    raise(SIGTRAP);
    _exit(3);
}

static void *share(size_t n) {
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

bool x86_hw_run(const struct x86_case *cases, struct x86_result *out, unsigned n) {
    sh = share(sizeof *sh);
    struct x86_result *results = share(n * sizeof *out);
    if (!sh || !results) return false;
    *sh = (struct shared){.n = n, .out = results, .cases = cases};
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) child();
    int status = -1;
    bool ok = pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
    if (!ok)
        fprintf(stderr, "the hardware run ended with status 0x%x at case %u of %u\n", status,
                sh->at, n);
    memcpy(out, results, n * sizeof *out);
    munmap(results, n * sizeof *out);
    munmap(sh, sizeof *sh);
    return ok;
}
