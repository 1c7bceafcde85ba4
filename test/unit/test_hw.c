// PLIC claim and complete sequences, UART registers and interrupts, the test finisher.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "hw/finisher.h"
#include "hw/plic.h"
#include "hw/uart16550.h"

static void set_level(void *arg, unsigned line, bool level) {
    (void)line;
    *(bool *)arg = level;
}

// PLIC.

enum { PENDING = 0x1000, ENABLE = 0x2000, THRESHOLD = 0x200000, CLAIM = 0x200004 };

static u32 pr(struct plic *p, u64 off) { return (u32)plic_mmio.read(p, off, 4); }
static void pw(struct plic *p, u64 off, u32 v) { plic_mmio.write(p, off, 4, v); }

static struct plic *plic_new(bool *out) {
    *out = false;
    struct plic *p = plic_create((struct irq_line){set_level, out, 9});
    assert_non_null(p);
    return p;
}

static void test_plic_claim(void **state) {
    (void)state;
    bool out;
    struct plic *p = plic_new(&out);
    plic_set_source(p, 10, true);
    assert_false(out); // neither enabled nor of a priority
    assert_int_equal(pr(p, PENDING), 1 << 10);
    pw(p, ENABLE, 1 << 10);
    assert_false(out);
    pw(p, 4 * 10, 1);
    assert_true(out);
    assert_int_equal(pr(p, CLAIM), 10);
    assert_false(out);
    assert_int_equal(pr(p, PENDING), 0);
    assert_int_equal(pr(p, CLAIM), 0); // claimed and not completed
    pw(p, CLAIM, 10);
    assert_true(out); // the line is still high: level-triggered
    assert_int_equal(pr(p, CLAIM), 10);
    plic_set_source(p, 10, false);
    pw(p, CLAIM, 10);
    assert_false(out);
    assert_int_equal(pr(p, CLAIM), 0);
    plic_destroy(p);
}

static void test_plic_priority(void **state) {
    (void)state;
    bool out;
    struct plic *p = plic_new(&out);
    pw(p, ENABLE, 0xffffffff);
    pw(p, ENABLE + 4, 0xffffffff);
    assert_int_equal(pr(p, ENABLE), 0xfffffffe); // source 0 does not exist
    pw(p, 4 * 3, 2), pw(p, 4 * 5, 7), pw(p, 4 * 40, 7), pw(p, 4 * 41, 9);
    assert_int_equal(pr(p, 4 * 41), 1); // three bits
    plic_set_source(p, 3, true), plic_set_source(p, 40, true), plic_set_source(p, 5, true);
    assert_int_equal(pr(p, PENDING + 4), 1 << (40 - 32));
    assert_int_equal(pr(p, CLAIM), 5); // equal priority: the lower number
    assert_int_equal(pr(p, CLAIM), 40);
    pw(p, THRESHOLD, 2);
    assert_false(out);
    assert_int_equal(pr(p, CLAIM), 0); // priority must exceed the threshold
    pw(p, THRESHOLD, 1);
    assert_true(out);
    assert_int_equal(pr(p, CLAIM), 3);
    plic_destroy(p);
}

static void test_plic_odd(void **state) {
    (void)state;
    bool out;
    struct plic *p = plic_new(&out);
    pw(p, ENABLE, 1 << 7), pw(p, 4 * 7, 1);
    plic_set_source(p, 7, true);
    assert_int_equal(pr(p, CLAIM), 7);
    pw(p, ENABLE, 0);
    pw(p, CLAIM, 7); // not enabled: ignored
    pw(p, ENABLE, 1 << 7);
    assert_false(out);
    pw(p, CLAIM, 0), pw(p, CLAIM, 64), pw(p, CLAIM, 0xffffffff);
    assert_false(out);
    pw(p, CLAIM, 7);
    assert_true(out);
    plic_set_source(p, 7, false); // withdrawn before the claim
    assert_false(out);
    plic_set_source(p, 0, true), plic_set_source(p, 64, true);
    assert_int_equal(pr(p, PENDING), 0);
    pw(p, 0, 5);
    assert_int_equal(pr(p, 0), 0);
    assert_int_equal(plic_mmio.read(p, CLAIM, 8), 0);
    assert_int_equal(pr(p, PLIC_SIZE - 4), 0);
    plic_destroy(p);
}

// UART.

enum { RBR = 0, IER = 1, IIR = 2, LCR = 3, MCR = 4, LSR = 5, MSR = 6, SCR = 7 };

struct uart_test {
    bool irq;
    struct buf out;
    struct uart *u;
};

static void collect(void *arg, const u8 *p, size_t n) {
    struct uart_test *t = arg;
    buf_put(&t->out, p, n);
}

static void uart_new(struct uart_test *t) {
    *t = (struct uart_test){0};
    struct uart_settings s = {{set_level, &t->irq, 10}, t, collect};
    t->u = uart_create(&s);
    assert_non_null(t->u);
}

static void uart_end(struct uart_test *t) {
    uart_destroy(t->u);
    buf_free(&t->out);
}

static u8 ur(struct uart_test *t, u64 off) { return (u8)uart_mmio.read(t->u, off, 1); }
static void uw(struct uart_test *t, u64 off, u8 v) { uart_mmio.write(t->u, off, 1, v); }

static void test_uart_output(void **state) {
    (void)state;
    struct uart_test t;
    uart_new(&t);
    assert_int_equal(ur(&t, LSR), 0x60);
    uw(&t, RBR, 'h'), uw(&t, RBR, 'i');
    assert_string_equal(buf_cstr(&t.out), "hi");
    uw(&t, LCR, 0x83);
    uw(&t, RBR, 2), uw(&t, IER, 1); // the divisor
    assert_int_equal(ur(&t, RBR), 2);
    assert_int_equal(ur(&t, IER), 1);
    uw(&t, LCR, 3);
    assert_int_equal(ur(&t, IER), 0);
    assert_int_equal(t.out.len, 2);
    uw(&t, SCR, 0x5a);
    assert_int_equal(ur(&t, SCR), 0x5a);
    uart_end(&t);
}

static void test_uart_tx_interrupt(void **state) {
    (void)state;
    struct uart_test t;
    uart_new(&t);
    assert_int_equal(ur(&t, IIR), 1);
    uw(&t, IER, 2);
    assert_true(t.irq); // THR is empty
    assert_int_equal(ur(&t, IIR), 2);
    assert_false(t.irq); // reading IIR took it back
    assert_int_equal(ur(&t, IIR), 1);
    uw(&t, RBR, 'x');
    assert_true(t.irq);
    uw(&t, IER, 0);
    assert_false(t.irq);
    uw(&t, IER, 2);
    assert_true(t.irq);
    uart_end(&t);
}

static void test_uart_input(void **state) {
    (void)state;
    struct uart_test t;
    uart_new(&t);
    uw(&t, IIR, 0x01);
    assert_int_equal(ur(&t, IIR), 0xc1);
    uw(&t, IER, 1);
    u8 bytes[5000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (u8)(i * 7);
    size_t n = uart_input(t.u, bytes, sizeof bytes);
    assert_in_range(n, 4096, sizeof bytes - 1); // bounded
    assert_true(t.irq);
    assert_int_equal(ur(&t, IIR), 0xc4);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(ur(&t, LSR) & 1, 1);
        assert_int_equal(ur(&t, RBR), bytes[i]);
    }
    assert_int_equal(ur(&t, LSR) & 1, 0);
    assert_false(t.irq);
    assert_int_equal(uart_take(t.u), -1);
    uart_input(t.u, (const u8 *)"ab", 2);
    assert_int_equal(uart_take(t.u), 'a');
    uw(&t, IIR, 0x03); // clears the FIFO
    assert_int_equal(ur(&t, LSR) & 1, 0);
    uart_end(&t);
}

// What a driver does to find out that there is a UART: data and modem lines in loopback mode.
static void test_uart_loopback(void **state) {
    (void)state;
    struct uart_test t;
    uart_new(&t);
    assert_int_equal(ur(&t, MSR) & 0xf0, 0xb0);
    uw(&t, MCR, 0x10 | 0x0a);
    assert_int_equal(ur(&t, MSR) & 0xf0, 0x90);
    uart_input(t.u, (const u8 *)"line", 4); // must wait outside
    uw(&t, RBR, 'L');
    assert_int_equal(ur(&t, RBR), 'L');
    assert_int_equal(ur(&t, LSR) & 1, 0);
    assert_int_equal(t.out.len, 0);
    uw(&t, RBR, '1'), uw(&t, RBR, '2');
    assert_int_equal(ur(&t, LSR) & 2, 2); // without FIFO the second byte overruns
    assert_int_equal(ur(&t, LSR) & 2, 0);
    assert_int_equal(ur(&t, RBR), '1');
    uw(&t, MCR, 0);
    assert_int_equal(ur(&t, RBR), 'l');
    uart_end(&t);
}

// Finisher.

struct ended {
    unsigned count, what, code;
};

static void note_end(void *arg, unsigned what, unsigned code) {
    struct ended *e = arg;
    *e = (struct ended){e->count + 1, what, code};
}

static void test_finisher(void **state) {
    (void)state;
    struct ended e = {0};
    struct finisher f = {&e, note_end};
    finisher_mmio.write(&f, 0, 4, 0x1234);
    finisher_mmio.write(&f, 4, 4, FINISHER_PASS);
    assert_int_equal(e.count, 0);
    finisher_mmio.write(&f, 0, 4, FINISHER_PASS);
    assert_int_equal(e.what, FINISHER_PASS);
    finisher_mmio.write(&f, 0, 4, 42u << 16 | FINISHER_FAIL);
    assert_int_equal(e.what, FINISHER_FAIL);
    assert_int_equal(e.code, 42);
    finisher_mmio.write(&f, 0, 2, FINISHER_RESET);
    assert_int_equal(e.what, FINISHER_RESET);
    assert_int_equal(finisher_mmio.read(&f, 0, 4), 0);
    assert_int_equal(e.count, 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plic_claim),        cmocka_unit_test(test_plic_priority),
        cmocka_unit_test(test_plic_odd),          cmocka_unit_test(test_uart_output),
        cmocka_unit_test(test_uart_tx_interrupt), cmocka_unit_test(test_uart_input),
        cmocka_unit_test(test_uart_loopback),     cmocka_unit_test(test_finisher),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
