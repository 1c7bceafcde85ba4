// The control channel's frames: built, taken apart at every split, refused when malformed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "container/ctl.h"

struct seen {
    unsigned count;
    struct buf text; // "type:session:payload;" of every frame
    int refuse_at;
};

static int note(void *arg, const struct ctl_frame *f, struct err *err) {
    struct seen *s = arg;
    buf_printf(&s->text, "%u:%u:%.*s;", f->type, f->session, (int)f->len, (const char *)f->payload);
    s->count++;
    if (s->refuse_at && (int)s->count == s->refuse_at)
        return err_set(err, ERR_CORRUPT, "refused frame %u", s->count);
    return 0;
}

static struct buf three_frames(void) {
    struct buf b = {0};
    ctl_put(&b, CTL_STDOUT, 1, "hello", 5);
    ctl_put(&b, CTL_STDIN_EOF, 0x1234, NULL, 0);
    ctl_put(&b, CTL_ERROR, 0, "no such file", 12);
    return b;
}

static void test_layout(void **state) {
    (void)state;
    struct buf b = {0};
    ctl_put(&b, CTL_STDIN, 0x0201, "xy", 2);
    ctl_put_u32(&b, CTL_CREDIT, 7, 0x01020304);
    ctl_put_resize(&b, 1, 80, 0x1234);
    static const u8 want[] = {2, 0, 1, 2, 2, 0, 0, 0, 'x', 'y', 96, 0, 7, 0,  4, 0,    0,
                              0, 4, 3, 2, 1, 4, 0, 1, 0,   4,   0,  0, 0, 80, 0, 0x34, 0x12};
    assert_int_equal(b.len, sizeof want);
    assert_memory_equal(b.data, want, sizeof want);
    buf_free(&b);
}

static void test_every_split(void **state) {
    (void)state;
    struct buf b = three_frames();
    for (size_t i = 0; i <= b.len; i++) {
        for (size_t j = i; j <= b.len; j++) {
            struct ctl_reader r = {0};
            struct seen s = {0};
            struct err err;
            assert_int_equal(ctl_reader_feed(&r, b.data, i, note, &s, &err), 0);
            assert_int_equal(ctl_reader_feed(&r, b.data + i, j - i, note, &s, &err), 0);
            assert_int_equal(ctl_reader_feed(&r, b.data + j, b.len - j, note, &s, &err), 0);
            assert_string_equal(buf_cstr(&s.text), "65:1:hello;3:4660:;68:0:no such file;");
            assert_int_equal(r.part.len, 0);
            ctl_reader_free(&r);
            buf_free(&s.text);
        }
    }
    buf_free(&b);
}

static void test_byte_by_byte_and_largest(void **state) {
    (void)state;
    struct buf b = {0};
    u8 *big = malloc(CTL_MAX_PAYLOAD);
    memset(big, 'z', CTL_MAX_PAYLOAD);
    ctl_put(&b, CTL_STDOUT, 1, big, CTL_MAX_PAYLOAD);
    ctl_put(&b, CTL_STDOUT, 2, "end", 3);
    struct ctl_reader r = {0};
    struct seen s = {0};
    struct err err;
    for (size_t i = 0; i < b.len; i++)
        assert_int_equal(ctl_reader_feed(&r, b.data + i, 1, note, &s, &err), 0);
    assert_int_equal(s.count, 2);
    assert_int_equal(s.text.len, strlen("65:1:;65:2:end;") + CTL_MAX_PAYLOAD);
    ctl_reader_free(&r);
    buf_free(&s.text);
    buf_free(&b);
    free(big);
}

// The header alone is enough to refuse: nothing is collected for a length that is too large.
static void test_too_long(void **state) {
    (void)state;
    static const u8 bad[] = {CTL_STDOUT, 0, 1, 0, 1, 0, 1, 0}; // 65537 bytes
    for (size_t split = 0; split <= sizeof bad; split++) {
        struct ctl_reader r = {0};
        struct seen s = {0};
        struct err err = {0};
        int rc = ctl_reader_feed(&r, bad, split, note, &s, &err);
        if (split < sizeof bad)
            rc = ctl_reader_feed(&r, bad + split, sizeof bad - split, note, &s, &err);
        assert_int_equal(rc, -ERR_CORRUPT);
        assert_non_null(strstr(err.msg, "65537"));
        assert_int_equal(s.count, 0);
        assert_true(r.part.cap < 1024);
        // and the stream stays broken
        assert_int_equal(ctl_reader_feed(&r, bad, 1, note, &s, &err), -ERR_CORRUPT);
        ctl_reader_free(&r);
    }
}

static void test_flags(void **state) {
    (void)state;
    static const u8 bad[] = {CTL_STDOUT, 1, 1, 0, 0, 0, 0, 0};
    struct ctl_reader r = {0};
    struct seen s = {0};
    struct err err = {0};
    assert_int_equal(ctl_reader_feed(&r, bad, sizeof bad, note, &s, &err), -ERR_CORRUPT);
    assert_non_null(strstr(err.msg, "flags"));
    ctl_reader_free(&r);
}

static void test_callback_refuses(void **state) {
    (void)state;
    struct buf b = three_frames();
    struct ctl_reader r = {0};
    struct seen s = {.refuse_at = 2};
    struct err err = {0};
    assert_int_equal(ctl_reader_feed(&r, b.data, b.len, note, &s, &err), -ERR_CORRUPT);
    assert_string_equal(err.msg, "refused frame 2");
    assert_int_equal(s.count, 2);
    ctl_reader_free(&r);
    buf_free(&s.text);
    buf_free(&b);
}

static void test_check_from_guest(void **state) {
    (void)state;
    static const struct {
        struct ctl_frame f;
        const char *complaint; // NULL: fine
    } cases[] = {
        {{CTL_READY, 0, 4, NULL}, NULL},
        {{CTL_READY, 0, 5, NULL}, "READY frame has 5 bytes"},
        {{CTL_STDOUT, 1, 0, NULL}, NULL},
        {{CTL_STDOUT, 0, 1, NULL}, "STDOUT frame names no session"},
        {{CTL_STDERR, 0, 1, NULL}, "STDERR frame names no session"},
        {{CTL_EXIT, 1, 4, NULL}, NULL},
        {{CTL_EXIT, 1, 3, NULL}, "EXIT frame has 3 bytes"},
        {{CTL_EXIT, 0, 4, NULL}, "EXIT frame names no session"},
        {{CTL_ERROR, 0, 9, NULL}, NULL},
        {{CTL_ERROR, 3, 0, NULL}, NULL},
        {{CTL_CREDIT, 1, 4, NULL}, NULL},
        {{CTL_CREDIT, 1, 8, NULL}, "CREDIT frame has 8 bytes"},
        {{CTL_SPAWN, 1, 8, NULL}, "unknown frame type 1"}, // the host's, not the guest's
        {{CTL_STDIN, 1, 8, NULL}, "unknown frame type 2"},
        {{0, 0, 0, NULL}, "unknown frame type 0"},
        {{255, 1, 0, NULL}, "unknown frame type 255"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = {0};
        int rc = ctl_check_from_guest(&cases[i].f, &err);
        if (!cases[i].complaint) {
            assert_int_equal(rc, 0);
        } else {
            assert_int_equal(rc, -ERR_CORRUPT);
            assert_non_null(strstr(err.msg, cases[i].complaint));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_every_split),
        cmocka_unit_test(test_byte_by_byte_and_largest),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_callback_refuses),
        cmocka_unit_test(test_check_from_guest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
