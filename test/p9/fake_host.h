// A remote host in memory for tests of fs_remote: answers later, in random order, and fails on
// request. It behaves as VS Code's in-memory provider, and aborts where the back end asks for what
// could hurt a user's files (deleting a directory that is not empty, two operations on one path at
// a time).
#ifndef BERTH_TEST_P9_FAKE_HOST_H
#define BERTH_TEST_P9_FAKE_HOST_H

#include "p9/fs_remote.h"

struct fake_file {
    char *path;
    u8 type;
    bool readonly;
    u8 *data;
    size_t len;
    u64 mtime_ms;
};

struct fake_request;

struct fake_host {
    struct fs *fs;
    u64 now_ns, timer_ns; // 0: no timer
    u32 rng;
    unsigned fail_percent; // of the requests, with EIO
    int fail_next;         // errno for the next request that is carried out
    unsigned fail_op;      // 1 + the only op that fails; 0: any
    bool hold;             // requests wait
    bool races;            // the editor changes names while requests about them are under way
    struct fake_file *files;
    size_t count, cap;
    struct fake_request *requests;
    unsigned npending, nrequests[7]; // by op, since the start
    u64 pending_since;
};

void fake_init(struct fake_host *h, u32 seed, const struct log *log);
void fake_end(struct fake_host *h); // the fs too
// Carries out one pending request, a random one; with none, lets time pass to the timer.
void fake_pump(void *arg);
void fake_settle(struct fake_host *h); // until nothing is pending or unwritten
void fake_sleep(struct fake_host *h, u32 ms);
// What the editor does. With an event unless `quiet`.
void fake_edit(struct fake_host *h, const char *path, const char *text, bool quiet);
void fake_edit_dir(struct fake_host *h, const char *path);
void fake_remove(struct fake_host *h, const char *path);
struct fake_file *fake_find(struct fake_host *h, const char *path); // NULL: none

#endif
