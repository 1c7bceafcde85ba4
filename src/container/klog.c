// Reads the kernel's console as it goes by, a line at a time. The text is the guest's: it is only
// matched against known sentences and quoted with control characters taken out.
// Depends on base/ only. The sentences are those of kernel/panic.c, mm/oom_kill.c, init/main.c and
// arch/riscv/kernel/traps.c of Linux 6.x.
#include "container/klog.h"

#include <stdio.h>
#include <string.h>

void klog_printable(char *dst, size_t cap, const u8 *p, size_t n) {
    size_t len = 0;
    for (size_t i = 0; i < n && len + 1 < cap; i++)
        dst[len++] = p[i] < 0x20 || p[i] == 0x7f ? ' ' : (char)p[i];
    while (len && dst[len - 1] == ' ') len--;
    if (cap) dst[len] = 0;
}

// Drops the "[    1.234567] " of CONFIG_PRINTK_TIME.
static const char *without_time(const char *line) {
    if (line[0] != '[') return line;
    const char *p = line + 1 + strspn(line + 1, " 0123456789.");
    return p[0] == ']' && p[1] == ' ' ? p + 2 : line;
}

static void copy(char *dst, size_t cap, const char *src) { snprintf(dst, cap, "%s", src); }

static void see_line(struct klog *k) {
    char line[sizeof k->line];
    klog_printable(line, sizeof line, (const u8 *)k->line, k->line_len);
    k->line_len = 0;
    const char *text = without_time(line);
    if (!*text) return;
    copy(k->last, sizeof k->last, text);

    static const char panic[] = "Kernel panic - not syncing: ";
    static const char oom[] = "Out of memory: Killed process ";
    static const char memcg[] = "Memory cgroup out of memory: Killed process ";
    static const char init[] = "berth-init: ";
    if (strncmp(text, init, sizeof init - 1) == 0)
        copy(k->init, sizeof k->init, text + sizeof init - 1);
    const char *hit = strstr(text, panic);
    // The first panic is the cause, a second one comes from dealing with it.
    if (hit && !k->panic[0]) copy(k->panic, sizeof k->panic, hit + sizeof panic - 1);
    size_t skip = sizeof oom - 1;
    hit = strstr(text, oom);
    if (!hit) hit = strstr(text, memcg), skip = sizeof memcg - 1;
    if (!hit) return;
    k->oom_kills++;
    hit += skip + strspn(hit + skip, "0123456789 ");
    size_t n = *hit == '(' ? strcspn(++hit, ")") : 0;
    if (n >= sizeof k->victim) n = sizeof k->victim - 1;
    memcpy(k->victim, hit, n);
    k->victim[n] = 0;
}

void klog_write(struct klog *k, const u8 *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        k->ring[k->total++ % KLOG_RING] = p[i];
        if (p[i] == '\n')
            see_line(k);
        else if (k->line_len < sizeof k->line - 1)
            k->line[k->line_len++] = (char)p[i];
    }
}

size_t klog_tail(const struct klog *k, u8 *dst, size_t cap) {
    u64 have = k->total < KLOG_RING ? k->total : KLOG_RING;
    size_t n = have < cap ? (size_t)have : cap;
    for (size_t i = 0; i < n; i++) dst[i] = k->ring[(k->total - n + i) % KLOG_RING];
    return n;
}

static bool has(const char *s, const char *part) { return strstr(s, part) != NULL; }

bool klog_explain(const struct klog *k, char *dst, size_t cap) {
    if (has(k->panic, "deadlocked on memory") || has(k->panic, "no killable processes") ||
        has(k->panic, "Out of memory")) {
        snprintf(dst, cap, "the guest ran out of memory (%s): give it more", k->panic);
    } else if (has(k->panic, "No working init found") || has(k->panic, "Unable to mount root")) {
        snprintf(dst, cap,
                 "the guest kernel found no /init in its initramfs (%s): the file is not Berth's "
                 "initramfs, or the guest has too little memory to unpack it",
                 k->panic);
    } else if (k->panic[0]) {
        snprintf(dst, cap, "the guest kernel panicked: %s", k->panic);
    } else if (k->init[0]) {
        snprintf(dst, cap, "the guest could not start: %s", k->init);
    } else if (k->oom_kills) {
        snprintf(dst, cap, "the guest ran out of memory and killed \"%s\": give it more",
                 k->victim);
    } else {
        return false;
    }
    return true;
}
