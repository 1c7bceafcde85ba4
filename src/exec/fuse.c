// Which uops run together with those before them: fuse.def and fuse_flags.def. Depends on the
// tables only.
//
// Most pairs are none: two small tables say whether a uop begins any row and whether one ends any,
// before the search. A uop may stand in them more than once.
#include "exec/lower.h"

#pragma GCC diagnostic ignored "-Woverride-init"

#define STARTS(a)  [UOP_##a] = 1,
#define FOLLOWS(b) [UOP_##b] = 1,
#define PAIR(a, b, to)                                                                             \
    case UOP_##a *UOP_COUNT + UOP_##b:                                                             \
        return UOP_##to;

static const u8 plain_part[UOP_COUNT] = {
#define FUSE2(a, b)       STARTS(a)
#define FUSE2_BR(a, b)    STARTS(a)
#define FUSE2_TO(a, b)    STARTS(a)
#define FUSE3(a, b, c)    STARTS(a##__##b)
#define FUSE3_BR(a, b, c) STARTS(a##__##b)
#define FUSE3_TO(a, b, c) STARTS(a##__##b)
#include "exec/fuse.def"
};

static const u8 plain_next[UOP_COUNT] = {
#define FUSE2(a, b)       FOLLOWS(b)
#define FUSE2_BR(a, b)    FOLLOWS(BR_##b)
#define FUSE2_TO(a, b)    FOLLOWS(b)
#define FUSE3(a, b, c)    FOLLOWS(c)
#define FUSE3_BR(a, b, c) FOLLOWS(BR_##c)
#define FUSE3_TO(a, b, c) FOLLOWS(c)
#include "exec/fuse.def"
};

enum uop_code fuse_plain(enum uop_code head, enum uop_code next) {
    if (!(plain_part[head] & plain_next[next])) return UOP_INVALID;
    switch (head * UOP_COUNT + next) {
#define FUSE2(a, b)       PAIR(a, b, a##__##b)
#define FUSE2_BR(a, b)    PAIR(a, BR_##b, a##__##b)
#define FUSE2_TO(a, b)    PAIR(a, b, a##__##b)
#define FUSE3(a, b, c)    PAIR(a##__##b, c, a##__##b##__##c)
#define FUSE3_BR(a, b, c) PAIR(a##__##b, BR_##c, a##__##b##__##c)
#define FUSE3_TO(a, b, c) PAIR(a##__##b, c, a##__##b##__##c)
#include "exec/fuse.def"
    default:
        return UOP_INVALID;
    }
}

static const u8 flags_part[UOP_COUNT] = {
#define FUSE2(a, b)       STARTS(a)
#define FUSE2_BR(a, b)    STARTS(a)
#define FUSE2_TO(a, b)    STARTS(a)
#define FUSE3(a, b, c)    STARTS(F_##a##__##b)
#define FUSE3_BR(a, b, c) STARTS(F_##a##__##b)
#define FUSE3_TO(a, b, c) STARTS(F_##a##__##b)
#include "exec/fuse_flags.def"
};

static const u8 flags_next[UOP_COUNT] = {
#define FUSE2(a, b)       FOLLOWS(b)
#define FUSE2_BR(a, b)    FOLLOWS(BR_##b)
#define FUSE2_TO(a, b)    FOLLOWS(b)
#define FUSE3(a, b, c)    FOLLOWS(c)
#define FUSE3_BR(a, b, c) FOLLOWS(BR_##c)
#define FUSE3_TO(a, b, c) FOLLOWS(c)
#include "exec/fuse_flags.def"
};

enum uop_code fuse_flags(enum uop_code head, enum uop_code next) {
    if (!(flags_part[head] & flags_next[next])) return UOP_INVALID;
    switch (head * UOP_COUNT + next) {
#define FUSE2(a, b)       PAIR(a, b, F_##a##__##b)
#define FUSE2_BR(a, b)    PAIR(a, BR_##b, F_##a##__##b)
#define FUSE2_TO(a, b)    PAIR(a, b, F_##a##__##b)
#define FUSE3(a, b, c)    PAIR(F_##a##__##b, c, F_##a##__##b##__##c)
#define FUSE3_BR(a, b, c) PAIR(F_##a##__##b, BR_##c, F_##a##__##b##__##c)
#define FUSE3_TO(a, b, c) PAIR(F_##a##__##b, c, F_##a##__##b##__##c)
#include "exec/fuse_flags.def"
    default:
        return UOP_INVALID;
    }
}
