// The cpio writer, read back by the system's cpio where there is one, and by a reader written here
// from the format's description.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/cpio.h"

static unsigned field(const u8 *h, unsigned i) {
    char hex[9] = {0};
    memcpy(hex, h + 6 + 8 * i, 8);
    char *end;
    unsigned v = (unsigned)strtoul(hex, &end, 16);
    assert_true(*end == 0);
    return v;
}

// Lists "name mode data;" of all entries of all archives; skips zero padding as the kernel does.
static void list(const struct buf *b, struct buf *out) {
    size_t i = 0;
    while (i < b->len) {
        if (b->data[i] == 0) {
            i++;
            continue;
        }
        assert_int_equal(i % 4, 0);
        const u8 *h = b->data + i;
        assert_true(b->len - i >= 110);
        assert_memory_equal(h, "070701", 6);
        unsigned size = field(h, 6), namesize = field(h, 11);
        size_t data = (i + 110 + namesize + 3) & ~(size_t)3;
        assert_true(data + size <= b->len);
        assert_int_equal(h[110 + namesize - 1], 0);
        buf_printf(out, "%s %o %.*s;", h + 110, field(h, 1), (int)size, b->data + data);
        assert_int_equal(field(h, 4), 1);
        assert_int_equal(field(h, 12), 0);
        i = (data + size + 3) & ~(size_t)3;
    }
}

static struct buf sample(const char *first) {
    struct buf b = {0};
    buf_put_str(&b, first);
    cpio_put_file(&b, "berth.conf", 0600, "abcde", 5);
    cpio_put_file(&b, "empty", 0644, NULL, 0);
    cpio_put_end(&b);
    return b;
}

static void test_read_back(void **state) {
    (void)state;
    struct buf b = sample(""), out = {0};
    list(&b, &out);
    assert_string_equal(buf_cstr(&out), "berth.conf 100600 abcde;empty 100644 ;TRAILER!!! 0 ;");
    buf_free(&b);
    buf_free(&out);
}

static void test_appended_is_aligned(void **state) {
    (void)state;
    static const char *const before[] = {"", "x", "xx", "xxx", "xxxx", "xxxxx"};
    for (size_t i = 0; i < ARRAY_LEN(before); i++) {
        struct buf b = sample(before[i]), out = {0};
        buf_consume(&b, (strlen(before[i]) + 3) & ~(size_t)3);
        list(&b, &out);
        assert_int_equal(b.len % 4, 0);
        assert_non_null(strstr(buf_cstr(&out), "berth.conf 100600 abcde;"));
        buf_free(&b);
        buf_free(&out);
    }
}

static void test_cpio_program(void **state) {
    (void)state;
    if (system("command -v cpio >/dev/null 2>&1") != 0) skip();
    struct buf b = sample("");
    FILE *p = popen("out=$(cpio -t --quiet) && test \"$out\" = \"berth.conf\nempty\"", "w");
    assert_non_null(p);
    assert_int_equal(fwrite(b.data, 1, b.len, p), b.len);
    assert_int_equal(pclose(p), 0);
    buf_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_back),
        cmocka_unit_test(test_appended_is_aligned),
        cmocka_unit_test(test_cpio_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
