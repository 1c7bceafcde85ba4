// The web host: pages from the module's own memory, clocks and randomness from JavaScript.
// A wasm memory never shrinks, so freed ranges go to a list, neighbours joined, and are used again
// (first fit) after zeroing. Depends on imports.h only.
#include "host/host.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "host/web/imports.h"

#define WASM_PAGE 65536u

struct range {
    uintptr_t at;
    u64 size;
    struct range *next; // ascending by address
};

// The memory belongs to the module instance, and so does what is free of it: the one file-scope
// state that this program cannot do without.
static struct range *free_ranges;

static void *take_free(u64 size) {
    for (struct range **r = &free_ranges; *r; r = &(*r)->next) {
        struct range *hit = *r;
        if (hit->size < size) continue;
        uintptr_t at = hit->at;
        hit->at += (uintptr_t)size;
        hit->size -= size;
        if (!hit->size) {
            *r = hit->next;
            free(hit);
        }
        return memset((void *)at, 0, (size_t)size);
    }
    return NULL;
}

static void give_free(uintptr_t at, u64 size) {
    struct range **r = &free_ranges;
    struct range *before = NULL;
    while (*r && (*r)->at < at) {
        before = *r;
        r = &(*r)->next;
    }
    struct range *after = *r;
    if (before && before->at + before->size == at) {
        before->size += size;
        if (after && before->at + before->size == after->at) {
            before->size += after->size;
            before->next = after->next;
            free(after);
        }
        return;
    }
    if (after && at + size == after->at) {
        after->at = at;
        after->size += size;
        return;
    }
    struct range *n = malloc(sizeof *n);
    if (!n) return; // the range is lost, nothing else
    *n = (struct range){at, size, after};
    *r = n;
}

void *host_pages_alloc(u64 size) {
    assert(size && size % 4096 == 0 && "page allocations are whole pages");
    void *p = take_free(size);
    if (p) return p;
    u64 pages = (size + WASM_PAGE - 1) / WASM_PAGE;
    if (pages > 65536) return NULL;
    size_t at = __builtin_wasm_memory_grow(0, (size_t)pages);
    if (at == SIZE_MAX) return NULL;
    u64 rest = pages * WASM_PAGE - size;
    uintptr_t base = (uintptr_t)at * WASM_PAGE;
    if (rest) give_free(base + (uintptr_t)size, rest);
    return (void *)base;
}

void host_pages_free(void *p, u64 size) {
    if (p) give_free((uintptr_t)p, size);
}

u64 host_monotonic_ns(void) { return (u64)(web_now() * 1e6); }

u64 host_realtime_ns(void) { return (u64)web_realtime() * 1000000u; }

void host_random(void *dst, size_t len) { web_random(dst, (u32)len); }
