// The Mandelbrot set in x87's 80-bit format: long double, whose loads, stores and arithmetic wasm
// does not have. Every bit of the result is defined.
#include "bench.h"

enum { WIDTH = 160, HEIGHT = 120, LIMIT = 400 };

static unsigned escape(long double x, long double y) {
    long double zx = 0, zy = 0;
    for (unsigned i = 0; i < LIMIT; i++) {
        long double xx = zx * zx, yy = zy * zy;
        if (xx + yy > 4) return i;
        zy = 2 * zx * zy + y;
        zx = xx - yy + x;
    }
    return LIMIT;
}

static uint64_t work(void) {
    uint64_t sum = 0;
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++)
            sum += escape(-2.2L + 3.2L * x / WIDTH, -1.2L + 2.4L * y / HEIGHT);
    return sum;
}

int main(int argc, char **argv) { return bench_repeat(argc, argv, work, 0x1894c1); }
