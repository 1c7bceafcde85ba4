// What any writable back end must do, after POSIX and pjdfstest's questions; run for each by its
// test.
#ifndef BERTH_TEST_P9_CASES_H
#define BERTH_TEST_P9_CASES_H

#include "test/p9/client.h"

struct caps {
    bool links;  // hard links
    bool xattrs; // user.* extended attributes
    bool devices;
};

// Each starts from an empty root and leaves it empty. Failures are cmocka's.
void cases_run(struct p9c *c, struct caps caps);

#endif
