// The Mandelbrot set in double precision. The C is compiled as distributions compile it, so where
// an architecture has fused multiply-add the compiler uses it and points at the set's edge may
// count differently: the result is rounded.
#include "bench.h"

enum { WIDTH = 480, HEIGHT = 360, LIMIT = 400 };

static unsigned escape(double x, double y) {
    double zx = 0, zy = 0;
    for (unsigned i = 0; i < LIMIT; i++) {
        double xx = zx * zx, yy = zy * zy;
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
            sum += escape(-2.2 + 3.2 * x / WIDTH, -1.2 + 2.4 * y / HEIGHT);
    return (sum + 5000) / 10000;
}

int main(int argc, char **argv) { return bench_repeat(argc, argv, work, 0x5aa); }
