// Single precision: products of 4x4 matrices and vectors, as in graphics. A rotation applied many
// times stays a rotation, which is what is checked; the digits may differ where there is fused
// multiply-add.
#include "bench.h"

enum { TURNS = 240000, POINTS = 64 };

typedef float matrix[4][4];

static void multiply(matrix to, matrix a, matrix b) {
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            float sum = 0;
            for (int k = 0; k < 4; k++) sum += a[i][k] * b[k][j];
            to[i][j] = sum;
        }
}

static void transform(matrix m, const float from[4], float to[4]) {
    for (int i = 0; i < 4; i++)
        to[i] = m[i][0] * from[0] + m[i][1] * from[1] + m[i][2] * from[2] + m[i][3] * from[3];
}

// Squared length after a turn, against the one before.
static int sound(const float p[4]) {
    float length = p[0] * p[0] + p[1] * p[1] + p[2] * p[2];
    return length > 2.9f && length < 3.1f && p[3] > 0.99f && p[3] < 1.01f;
}

static uint64_t work(void) {
    // cos and sin of 0.6435..., a 3-4-5 triangle, about two axes.
    matrix z = {{0.8f, -0.6f, 0, 0}, {0.6f, 0.8f, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 1}};
    matrix x = {{1, 0, 0, 0}, {0, 0.8f, -0.6f, 0}, {0, 0.6f, 0.8f, 0}, {0, 0, 0, 1}};
    static float points[POINTS][4];
    uint64_t good = 0;
    for (int i = 0; i < POINTS; i++)
        for (int j = 0; j < 4; j++) points[i][j] = 1;
    matrix turned, m;
    for (int i = 0; i < TURNS; i++) {
        multiply(turned, i & 1 ? z : x, i % 3 ? x : z);
        multiply(m, turned, z);
        float to[4], *p = points[i % POINTS];
        transform(m, p, to);
        for (int j = 0; j < 4; j++) p[j] = to[j];
        good += (uint64_t)sound(p);
    }
    return good;
}

int main(int argc, char **argv) { return bench_repeat(argc, argv, work, TURNS); }
