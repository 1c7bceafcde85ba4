// Packed doubles as SSE2 has them: sums of products, a polynomial, square roots and quotients,
// selection by a compare's mask, shuffles. Without fused operations, so every bit of the result is
// defined.
#include <emmintrin.h>

#include "bench.h"

enum { N = 2048, PASSES = 1500 };

static double x[N], y[N], z[N];

static void fill(void) {
    uint64_t seed = 3;
    for (long i = 0; i < N; i++) {
        x[i] = (double)(bench_random(&seed) >> 40) / 16777216 - 0.5;
        y[i] = (double)(bench_random(&seed) >> 40) / 16777216 - 0.5;
    }
}

static __m128d dot(void) {
    __m128d a = _mm_setzero_pd(), b = a;
    for (long i = 0; i < N; i += 4) {
        a = _mm_add_pd(a, _mm_mul_pd(_mm_load_pd(x + i), _mm_load_pd(y + i)));
        b = _mm_add_pd(b, _mm_mul_pd(_mm_load_pd(x + i + 2), _mm_load_pd(y + i + 2)));
    }
    return _mm_add_pd(a, b);
}

// exp of x, about.
static void polynomial(void) {
    for (long i = 0; i < N; i += 2) {
        __m128d v = _mm_load_pd(x + i), p = _mm_set1_pd(1.0 / 120);
        p = _mm_add_pd(_mm_mul_pd(p, v), _mm_set1_pd(1.0 / 24));
        p = _mm_add_pd(_mm_mul_pd(p, v), _mm_set1_pd(1.0 / 6));
        p = _mm_add_pd(_mm_mul_pd(p, v), _mm_set1_pd(0.5));
        p = _mm_add_pd(_mm_mul_pd(p, v), _mm_set1_pd(1));
        p = _mm_add_pd(_mm_mul_pd(p, v), _mm_set1_pd(1));
        _mm_store_pd(z + i, p);
    }
}

// Lengths, where they are short; the two elements of a pair change places.
static void lengths(void) {
    const __m128d half = _mm_set1_pd(0.5);
    for (long i = 0; i < N; i += 2) {
        __m128d a = _mm_load_pd(x + i), b = _mm_load_pd(y + i), old = _mm_load_pd(z + i);
        __m128d r = _mm_sqrt_pd(_mm_add_pd(_mm_mul_pd(a, a), _mm_mul_pd(b, b)));
        __m128d s = _mm_cmplt_pd(r, half);
        r = _mm_or_pd(_mm_and_pd(s, r), _mm_andnot_pd(s, _mm_div_pd(old, r)));
        _mm_store_pd(z + i, _mm_shuffle_pd(r, r, 1));
    }
}

// Keeps the numbers in their range and every pass different.
static void stir(__m128d sum) {
    const __m128d low = _mm_set1_pd(-0.5), high = _mm_set1_pd(0.5);
    __m128d step = _mm_mul_pd(sum, _mm_set1_pd(1.0 / N));
    for (long i = 0; i < N; i += 2) {
        __m128d v = _mm_sub_pd(_mm_load_pd(y + i), _mm_mul_pd(step, _mm_load_pd(z + i)));
        _mm_store_pd(y + i, _mm_min_pd(_mm_max_pd(v, low), high));
    }
}

static uint64_t work(void) {
    uint64_t sum = 0, bits[2];
    fill();
    for (int pass = 0; pass < PASSES; pass++) {
        __m128d d = dot();
        polynomial();
        lengths();
        stir(d);
        _mm_storeu_si128((__m128i *)bits, _mm_castpd_si128(d));
        sum = sum * 31 + (bits[0] ^ bits[1]);
    }
    return sum;
}

int main(int argc, char **argv) {
    return bench_repeat(argc, argv, work, UINT64_C(0xfc51c67a0c4dfe1e));
}
