// Formats a message and passes it to the sink. Depends on libc only.
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void log_write(const struct log *l, enum log_level level, const char *fmt, ...) {
    if (!l || !l->write || level > l->max) return;
    char msg[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    l->write(l->arg, level, msg);
}
