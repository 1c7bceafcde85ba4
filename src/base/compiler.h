// What differs between compilers; the only place outside host/ with #if on the toolchain.
#ifndef BERTH_BASE_COMPILER_H
#define BERTH_BASE_COMPILER_H

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NOINLINE __attribute__((noinline))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

// Labels as values make a threaded interpreter; WebAssembly has no indirect goto.
#ifdef __wasm__
#define BERTH_COMPUTED_GOTO 0
#else
#define BERTH_COMPUTED_GOTO 1
#endif

#endif
