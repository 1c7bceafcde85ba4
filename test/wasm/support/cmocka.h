// The little of cmocka that test_engines uses, for the WebAssembly build: cmocka itself needs
// setjmp. A failed assertion ends the program with status 1.
#ifndef BERTH_TEST_WASM_CMOCKA_H
#define BERTH_TEST_WASM_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>

struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
};

#define cmocka_unit_test(f)                                                                        \
    { #f, f }
#define print_message      printf
#define fail()             (printf("%s:%d: failed\n", __FILE__, __LINE__), exit(1))
#define assert_true(x)     ((x) ? (void)0 : (printf("%s:%d: %s\n", __FILE__, __LINE__, #x), exit(1)))
#define assert_non_null(p) assert_true((p) != NULL)

static inline int run_group(const struct CMUnitTest *t, size_t n) {
    for (size_t i = 0; i < n; i++) {
        t[i].run(NULL);
        printf("ok %zu - %s\n", i + 1, t[i].name);
    }
    printf("%zu passed, 0 failed\n", n);
    return 0;
}
#define cmocka_run_group_tests_name(name, t, a, b) run_group(t, sizeof(t) / sizeof((t)[0]))

#endif
