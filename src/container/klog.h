// The guest kernel's console: the last 64 KiB, and what they say about why a guest died.
#ifndef BERTH_CONTAINER_KLOG_H
#define BERTH_CONTAINER_KLOG_H

#include "base/types.h"

#define KLOG_RING 65536

struct klog {
    u8 ring[KLOG_RING];
    u64 total; // bytes ever written; the next goes to ring[total % KLOG_RING]
    char line[256];
    size_t line_len;
    char panic[256]; // text after "Kernel panic - not syncing: ", or of an oops; "" when none
    char init[256];  // what our init said last
    char last[256];  // the last line that is not empty
    char victim[64]; // name of the process the OOM killer took last
    unsigned oom_kills;
};

void klog_write(struct klog *k, const u8 *p, size_t n);

// Copies the last `cap` bytes at most; returns how many.
size_t klog_tail(const struct klog *k, u8 *dst, size_t cap);

// A sentence why the guest stopped, from the log alone; false when the log has no explanation.
bool klog_explain(const struct klog *k, char *dst, size_t cap);

// Copies text of the guest for a message: control characters become spaces, cut to fit.
void klog_printable(char *dst, size_t cap, const u8 *p, size_t n);

#endif
