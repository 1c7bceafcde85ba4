// ir_drop_dead on small blocks: what goes, and what a fault, a helper or an exit can still see.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ir/ir.h"

enum { ALONE, SEES, TELLS }; // helpers
static const u8 effects[] = {0, HELPER_READS, HELPER_READS | HELPER_PURE};

static struct ir_block b;

static void begin(void) {
    ir_begin(&b, 0, effects, 3);
    ir_insn_start(&b, 0, 1);
}

// Passes, and checks that the block is still one.
static void drop(void) {
    struct err err;
    if (!b.ended) ir_jump(&b, 1);
    ir_drop_dead(&b);
    if (ir_verify(&b, &err) < 0) fail_msg("%s", err.msg);
}

static unsigned count(enum ir_op op) {
    unsigned n = 0;
    for (u32 i = 1; i < b.n; i++) n += b.ops[i].op == op;
    return n;
}

static ir_ref sum(u64 k) { return ir_ADD64(&b, ir_get(&b, 800), ir_const64(&b, k)); }

static void test_overwritten(void **state) {
    (void)state;
    begin();
    ir_set(&b, 816, ir_SUB64(&b, ir_get(&b, 808), sum(3)));
    ir_insn_start(&b, 1, 1);
    ir_set(&b, 816, sum(4));
    drop();
    assert_int_equal(count(IR_SET), 1);
    assert_int_equal(count(IR_SUB64), 0); // with all it was made from
    assert_int_equal(count(IR_ADD64), 1);
    assert_int_equal(count(IR_GET), 1);
    assert_int_equal(count(IR_INSN), 2);
}

static void test_seen_by_a_fault(void **state) {
    (void)state;
    begin();
    ir_set(&b, 816, sum(3));
    ir_LDU8(&b, ir_get(&b, 808), 0); // its value is not used, the fault may happen
    ir_set(&b, 816, sum(4));
    ir_trapif(&b, ir_NE64(&b, sum(5), ir_const64(&b, 0)), 6, sum(6));
    ir_set(&b, 816, sum(7));
    drop();
    assert_int_equal(count(IR_SET), 3);
    assert_int_equal(count(IR_LDU8), 1);
    assert_int_equal(count(IR_TRAPIF), 1);
}

static void test_seen_by_a_helper(void **state) {
    (void)state;
    begin();
    ir_set(&b, 816, sum(3));
    ir_call(&b, ALONE, sum(9), 0, 0, 0); // touches no cell, but is called
    ir_set(&b, 816, sum(4));
    ir_call(&b, SEES, 0, 0, 0, 0);
    ir_set(&b, 816, sum(5));
    drop();
    assert_int_equal(count(IR_CALL), 2);
    assert_int_equal(count(IR_SET), 2);
}

static void test_helper_for_nothing(void **state) {
    (void)state;
    begin();
    ir_set(&b, 816, sum(3)); // seen only by the helper whose value nobody sees
    ir_set(&b, 824, ir_call(&b, TELLS, sum(9), 0, 0, 0));
    ir_set(&b, 824, sum(4));
    ir_set(&b, 816, sum(5));
    drop();
    assert_int_equal(count(IR_CALL), 0);
    assert_int_equal(count(IR_SET), 2);
    begin();
    ir_set(&b, 816, sum(3));
    ir_set(&b, 824, ir_call(&b, TELLS, 0, 0, 0, 0));
    ir_set(&b, 816, sum(5));
    drop();
    assert_int_equal(count(IR_CALL), 1);
    assert_int_equal(count(IR_SET), 3);
}

static void test_seen_by_a_get(void **state) {
    (void)state;
    begin();
    // A vector get between two sets of one of its halves.
    ir_set(&b, 824, sum(3));
    ir_setv(&b, 848, ir_getv(&b, 816));
    ir_set(&b, 824, sum(4));
    // A vector set makes both halves dead, a half only itself.
    ir_set(&b, 880, sum(5));
    ir_set(&b, 888, sum(6));
    ir_setv(&b, 880, ir_getv(&b, 832));
    ir_setv(&b, 912, ir_getv(&b, 832));
    ir_set(&b, 912, sum(7));
    drop();
    assert_int_equal(count(IR_SET), 3);
    assert_int_equal(count(IR_SETV), 3);
}

static void test_forgotten(void **state) {
    (void)state;
    begin();
    ir_set(&b, 816, ir_SUB64(&b, ir_get(&b, 808), sum(3)));
    ir_set(&b, 824, sum(4));
    ir_insn_start(&b, 1, 1);
    ir_forget(&b, 816);
    ir_forget(&b, 816);
    assert_int_equal(count(IR_SET), 3); // once is enough
    drop();
    assert_int_equal(count(IR_SET), 1);
    assert_int_equal(count(IR_SUB64), 0);
    begin();
    ir_set(&b, 816, sum(3));
    ir_LDU8(&b, ir_get(&b, 808), 0);
    ir_forget(&b, 816);
    drop();
    assert_int_equal(count(IR_SET), 1); // the fault saw it
    begin();
    ir_forget(&b, 816);
    ir_set(&b, 816, ir_const64(&b, 0)); // not there already
    drop();
    assert_int_equal(count(IR_SET), 1);
}

static void test_exit_sees_all(void **state) {
    (void)state;
    begin();
    ir_set(&b, 816, sum(3));
    ir_set(&b, 808, sum(4));
    ir_branch(&b, ir_EQ64(&b, sum(5), ir_const64(&b, 1)), 0, 1);
    u32 n = b.n;
    drop();
    assert_int_equal(b.n, n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overwritten),      cmocka_unit_test(test_seen_by_a_fault),
        cmocka_unit_test(test_seen_by_a_helper), cmocka_unit_test(test_seen_by_a_get),
        cmocka_unit_test(test_exit_sees_all),    cmocka_unit_test(test_helper_for_nothing),
        cmocka_unit_test(test_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
