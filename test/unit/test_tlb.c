// Translation contexts (exec/tlb.h): what a window's area is, what takes it away; what a flush
// tells.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "exec/tlb.h"
#include "mem/bus.h"

enum { PAGE = GUEST_PAGE_SIZE, PAGES = 64, READ_WINDOW = 1, WRITE_WINDOW = TLB_WRITABLE + 1 };
static const u64 AT = 0x7000000000; // where page 0 of `memory` is for the guest
static const u64 KEY = 5, SPACE = ~(u64)0;

static u8 memory[PAGES * PAGE];
static struct tlb t;

// Maps guest page AT + k to page `host` of memory.
static void map(enum tlb_table table, unsigned k, unsigned host) {
    u64 va = AT + (u64)k * PAGE;
    uintptr_t addend = (uintptr_t)(memory + host * PAGE) - (uintptr_t)va;
    tlb_fill(&t, table, va, host, va, addend, false);
}

static int setup(void **state) {
    (void)state;
    if (!tlb_init(&t, 0, SPACE, PAGES)) return -1;
    tlb_switch(&t, KEY);
    for (unsigned k = 0; k < 8; k++) map(TLB_READ, k, k);
    for (unsigned k = 2; k < 6; k++) map(TLB_WRITE, k, k);
    map(TLB_READ, 8, 20); // beside it for the guest, elsewhere on the host
    tlb_open_window(&t, READ_WINDOW, AT + 3 * PAGE + 5);
    tlb_open_window(&t, WRITE_WINDOW, AT + 3 * PAGE + 5);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    tlb_free(&t);
    return 0;
}

static const struct tlb_window *window(unsigned id) { return &t.cur->windows[id]; }

static void test_area(void **state) {
    static const u16 sizes[WINDOW_ROOMS] = WINDOW_SIZES;
    (void)state;
    const struct tlb_window *r = window(READ_WINDOW), *w = window(WRITE_WINDOW);
    assert_int_equal(r->lo, AT);
    assert_ptr_equal((void *)r->host, memory);
    assert_int_equal(w->lo, AT + 2 * PAGE);
    assert_ptr_equal((void *)w->host, memory + 2 * PAGE);
    for (unsigned k = 0; k < WINDOW_ROOMS; k++) { // the last place where so many bytes fit
        assert_int_equal(r->room[k] - 1 + sizes[k], 8 * PAGE);
        assert_int_equal(w->room[k] - 1 + sizes[k], 4 * PAGE);
    }
    assert_int_equal(tlb_area(&t, TLB_READ, AT + 8 * PAGE).room[0], PAGE);
    assert_int_equal(tlb_area(&t, TLB_READ, AT + 9 * PAGE).room[0], 0);
    // Nothing there: what was open stays.
    tlb_open_window(&t, READ_WINDOW, AT + 9 * PAGE);
    assert_int_equal(window(READ_WINDOW)->lo, AT);
}

static void test_flushed_page(void **state) {
    (void)state;
    tlb_flush_page(&t, AT + 7 * PAGE + 100, KEY, SPACE);
    assert_int_equal(window(READ_WINDOW)->room[0], 0);
    assert_int_equal(window(WRITE_WINDOW)->room[0], 4 * PAGE);
    // An entry that has made way for another page was part of the window all the same.
    map(TLB_WRITE, 4 + TLB_SIZE, 30);
    tlb_flush_page(&t, AT + 4 * PAGE, KEY, SPACE);
    assert_int_equal(window(WRITE_WINDOW)->room[0], 0);
}

static void test_flushed_elsewhere(void **state) {
    (void)state;
    tlb_flush_page(&t, AT + 8 * PAGE, KEY, SPACE);
    tlb_flush_page(&t, AT + 3 * PAGE, KEY + 1, SPACE);
    assert_int_equal(window(READ_WINDOW)->room[0], 8 * PAGE);
    tlb_flush_key(&t, KEY, SPACE);
    assert_int_equal(window(READ_WINDOW)->room[0], 0);
    assert_int_equal(window(WRITE_WINDOW)->room[0], 0);
}

static void test_code(void **state) {
    (void)state;
    tlb_set_slow(&t, 7, memory + 7 * PAGE); // nobody writes there
    assert_int_equal(window(WRITE_WINDOW)->room[0], 4 * PAGE);
    tlb_set_slow(&t, 5, memory + 5 * PAGE);
    assert_int_equal(window(WRITE_WINDOW)->room[0], 0);
    assert_int_equal(window(READ_WINDOW)->room[0], 8 * PAGE);
    tlb_open_window(&t, WRITE_WINDOW, AT + 3 * PAGE);
    assert_int_equal(window(WRITE_WINDOW)->room[0], 3 * PAGE);
    tlb_open_window(&t, WRITE_WINDOW, AT + 5 * PAGE); // slow
    assert_int_equal(window(WRITE_WINDOW)->room[0], 3 * PAGE);
}

static void test_contexts(void **state) {
    (void)state;
    tlb_switch(&t, KEY + 1);
    assert_int_equal(window(READ_WINDOW)->room[0], 0);
    tlb_switch(&t, KEY);
    assert_int_equal(window(READ_WINDOW)->room[0], 8 * PAGE);
}

// What runs in a context hears of flushes of pages that it may have used, also of those whose entry
// has made way; whoever waits in another one hears of those of his.
static void test_flush_tells(void **state) {
    (void)state;
    t.flushed = false;
    u64 before = t.elsewhere;
    tlb_flush_page(&t, AT + 9 * PAGE, KEY, SPACE);
    assert_false(t.flushed);
    map(TLB_READ, 1 + TLB_SIZE, 30);
    tlb_flush_page(&t, AT + 1 * PAGE, KEY, SPACE);
    assert_true(t.flushed);
    assert_int_equal(t.elsewhere, before);

    tlb_switch(&t, KEY + 1);
    t.flushed = false;
    tlb_flush_page(&t, AT + 3 * PAGE, 0, 0);
    assert_false(t.flushed);
    assert_int_not_equal(t.elsewhere, before);
    before = t.elsewhere;
    tlb_flush_page(&t, AT + 9 * PAGE, 0, 0);
    assert_int_equal(t.elsewhere, before);
    tlb_flush_key(&t, KEY, SPACE);
    assert_false(t.flushed);
    assert_int_not_equal(t.elsewhere, before);
    tlb_switch(&t, KEY);
    t.flushed = false;
    map(TLB_READ, 1, 1);
    tlb_flush_key(&t, KEY, SPACE);
    assert_true(t.flushed);
    t.flushed = false;
    tlb_flush_page(&t, AT + 1 * PAGE, KEY, SPACE); // all is gone already
    assert_false(t.flushed);
}

static void test_closed(void **state) {
    static struct tlb_closed kept;
    (void)state;
    tlb_close(&t, &kept);
    assert_int_equal(tlb_area(&t, TLB_READ, AT).room[0], 0);
    map(TLB_READ, 9, 9);
    assert_int_equal(tlb_area(&t, TLB_READ, AT + 9 * PAGE).room[0], 0);
    tlb_open(&t, &kept);
    assert_int_equal(tlb_area(&t, TLB_READ, AT).room[0], 8 * PAGE);
    assert_int_equal(tlb_area(&t, TLB_WRITE, AT + 2 * PAGE).room[0], 4 * PAGE);

    tlb_close(&t, &kept);
    tlb_flush_page(&t, AT + 3 * PAGE, KEY, SPACE);
    tlb_open(&t, &kept);
    assert_int_equal(tlb_area(&t, TLB_READ, AT).room[0], 0);
}

static void test_closed_code(void **state) {
    static struct tlb_closed kept;
    (void)state;
    tlb_close(&t, &kept);
    tlb_set_slow(&t, 5, memory + 5 * PAGE);
    tlb_open(&t, &kept);
    assert_int_equal(tlb_area(&t, TLB_WRITE, AT + 5 * PAGE).room[0], 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_area, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flushed_page, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flushed_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_code, setup, teardown),
        cmocka_unit_test_setup_teardown(test_contexts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flush_tells, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_code, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
