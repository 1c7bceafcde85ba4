// Errors caused by the caller or the environment: a negative code and a message a user can act on.
// What a guest does wrong is never a `struct err`; what we do wrong is an assert.
#ifndef BERTH_BASE_ERR_H
#define BERTH_BASE_ERR_H

#include "base/compiler.h"

enum err_code {
    ERR_INVALID = 1,     // an argument, setting or command line is wrong
    ERR_NOMEM = 2,       // host memory is exhausted
    ERR_IO = 3,          // reading or writing failed
    ERR_NOTFOUND = 4,    // the named thing does not exist
    ERR_UNSUPPORTED = 5, // valid, but not something this build does
    ERR_CORRUPT = 6,     // data does not have the form or digest it should
    ERR_LIMIT = 7,       // a bound against hostile input was reached
};

struct err {
    int code; // an enum err_code, 0 when unset
    char msg[512];
};

// Fills `e` (may be NULL) and returns -code. The message names the thing and says what to do.
int err_set(struct err *e, enum err_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);

// Puts "prefix: " before the message already in `e`; returns -e->code.
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
