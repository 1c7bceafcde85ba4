// The logger handed to libraries; a library never prints by itself.
#ifndef BERTH_BASE_LOG_H
#define BERTH_BASE_LOG_H

#include "base/compiler.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

struct log {
    void (*write)(void *arg, enum log_level level, const char *msg); // NULL: discard
    void *arg;
    enum log_level max; // messages above this level are dropped before formatting
};

// `l` may be NULL. One message, no trailing newline, cut at 1 KiB.
void log_write(const struct log *l, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
