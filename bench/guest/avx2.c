// AVX2 and FMA as libraries use them: blending of pixels in 16-bit elements, counting bits by a
// table in a register, a polynomial in floats with fused operations, permutations across the two
// halves. The functions are compiled for them alone, so the program starts anywhere; it must run
// where /proc/cpuinfo has avx2 and fma.
#include <immintrin.h>

#include "bench.h"

#define AVX2 __attribute__((target("avx2,fma")))
enum { BYTES = 1 << 14, PASSES = 1500 };

static uint8_t a[BYTES] __attribute__((aligned(32))), b[BYTES] __attribute__((aligned(32)));
static float f[BYTES / 4] __attribute__((aligned(32)));

static void fill(void) {
    uint64_t seed = 9;
    for (long i = 0; i < BYTES; i++) {
        a[i] = (uint8_t)(bench_random(&seed) >> 20);
        b[i] = (uint8_t)(bench_random(&seed) >> 30);
    }
    for (long i = 0; i < BYTES / 4; i++)
        f[i] = (float)(bench_random(&seed) >> 40) / 16777216 - 0.5f;
}

// a = (a * alpha + b * (256 - alpha)) / 256
AVX2 static void blend(int alpha) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i to = _mm256_set1_epi16((short)alpha),
                  from = _mm256_set1_epi16((short)(256 - alpha));
    for (long i = 0; i < BYTES; i += 32) {
        __m256i p = _mm256_load_si256((const __m256i *)(a + i));
        __m256i q = _mm256_load_si256((const __m256i *)(b + i));
        __m256i low = _mm256_add_epi16(_mm256_mullo_epi16(_mm256_unpacklo_epi8(p, zero), to),
                                       _mm256_mullo_epi16(_mm256_unpacklo_epi8(q, zero), from));
        __m256i high = _mm256_add_epi16(_mm256_mullo_epi16(_mm256_unpackhi_epi8(p, zero), to),
                                        _mm256_mullo_epi16(_mm256_unpackhi_epi8(q, zero), from));
        __m256i r = _mm256_packus_epi16(_mm256_srli_epi16(low, 8), _mm256_srli_epi16(high, 8));
        _mm256_store_si256((__m256i *)(a + i), r);
    }
}

// One bits of a ^ b.
AVX2 static uint64_t differences(void) {
    const __m256i counts =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i sum = _mm256_setzero_si256();
    for (long i = 0; i < BYTES; i += 32) {
        __m256i v = _mm256_xor_si256(_mm256_load_si256((const __m256i *)(a + i)),
                                     _mm256_load_si256((const __m256i *)(b + i)));
        __m256i low = _mm256_shuffle_epi8(counts, _mm256_and_si256(v, nibble));
        __m256i high =
            _mm256_shuffle_epi8(counts, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble));
        sum = _mm256_add_epi64(sum,
                               _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256()));
    }
    __m128i half = _mm_add_epi64(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    return (uint64_t)_mm_cvtsi128_si64(half) + (uint64_t)_mm_extract_epi64(half, 1);
}

// A polynomial of every float, the halves and then the elements of each eight turned round.
AVX2 static void floats(void) {
    const __m256i turn = _mm256_setr_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    const __m256 low = _mm256_set1_ps(-0.5f), high = _mm256_set1_ps(0.5f);
    for (long i = 0; i < BYTES / 4; i += 8) {
        __m256 v = _mm256_load_ps(f + i), p = _mm256_set1_ps(0.25f);
        p = _mm256_fmadd_ps(p, v, _mm256_set1_ps(-1.5f));
        p = _mm256_fmadd_ps(p, v, _mm256_set1_ps(0.875f));
        p = _mm256_fnmadd_ps(p, v, _mm256_set1_ps(0.375f));
        p = _mm256_blendv_ps(p, _mm256_sub_ps(p, high), _mm256_cmp_ps(p, v, _CMP_LT_OQ));
        p = _mm256_min_ps(_mm256_max_ps(p, low), high);
        p = _mm256_permutevar8x32_ps(_mm256_permute2f128_ps(p, v, 0x20), turn);
        _mm256_store_ps(f + i, p);
    }
}

AVX2 static uint64_t bits(void) {
    __m256i sum = _mm256_setzero_si256();
    for (long i = 0; i < BYTES / 4; i += 8) {
        __m256i v = _mm256_load_si256((const __m256i *)(f + i));
        sum = _mm256_add_epi32(_mm256_mullo_epi32(sum, _mm256_set1_epi32(31)), v);
    }
    uint64_t q[4], all = 0;
    _mm256_storeu_si256((__m256i *)q, sum);
    for (int i = 0; i < 4; i++) all = all * 31 + q[i];
    return all;
}

static uint64_t work(void) {
    uint64_t sum = 0;
    fill();
    for (int pass = 0; pass < PASSES; pass++) {
        blend(pass & 255);
        floats();
        sum = sum * 31 + differences();
    }
    return sum ^ bits();
}

int main(int argc, char **argv) {
    return bench_repeat(argc, argv, work, UINT64_C(0x9eae2d337a01733b));
}
