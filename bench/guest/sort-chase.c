// What programs do with data in memory: quicksort and binary search of integers, an open-addressing
// hash table, and a walk through 4 MiB of nodes in random order, which no cache of addresses holds.
#include "bench.h"

enum { SORTED = 120000, TABLE = 1 << 17, KEYS = 80000, NODES = 1 << 16, STEPS = 1200000 };

struct node {
    struct node *next;
    uint64_t value, pad[6];
};

static uint32_t numbers[SORTED];
static uint64_t table[TABLE];
static struct node nodes[NODES];

static void quicksort(uint32_t *a, long low, long high) {
    while (low < high) {
        uint32_t pivot = a[low + (high - low) / 2];
        long i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot) i++;
            while (a[j] > pivot) j--;
            if (i > j) break;
            uint32_t t = a[i];
            a[i++] = a[j];
            a[j--] = t;
        }
        quicksort(a, low, j);
        low = i;
    }
}

static int contains(const uint32_t *a, long n, uint32_t key) {
    long low = 0, high = n;
    while (low < high) {
        long middle = low + (high - low) / 2;
        if (a[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < n && a[low] == key;
}

static uint64_t sorting(uint64_t *seed) {
    uint64_t sum = 0;
    for (long i = 0; i < SORTED; i++) numbers[i] = (uint32_t)bench_random(seed) >> 12;
    quicksort(numbers, 0, SORTED - 1);
    for (long i = 1; i < SORTED; i++) {
        if (numbers[i - 1] > numbers[i]) return 0;
        sum = sum * 31 + numbers[i];
    }
    for (uint32_t i = 0; i < SORTED; i++) sum += (uint64_t)contains(numbers, SORTED, i * 5);
    return sum;
}

static uint64_t *slot(uint64_t key) {
    uint64_t at = (key * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - 17);
    while (table[at] != 0 && table[at] != key) at = (at + 1) % TABLE;
    return &table[at];
}

static uint64_t hashing(uint64_t *seed) {
    uint64_t start = *seed, found = 0;
    for (long i = 0; i < TABLE; i++) table[i] = 0;
    for (long i = 0; i < KEYS; i++) {
        uint64_t key = bench_random(seed) | 1;
        *slot(key) = key;
    }
    for (int pass = 0; pass < 3; pass++) {
        uint64_t again = start;
        // Every second key is one that the table does not have.
        for (long i = 0; i < KEYS; i++)
            found += *slot((bench_random(&again) | 1) + 2 * (i & 1)) != 0;
    }
    return found;
}

// A single cycle through all nodes (Sattolo's shuffle).
static uint64_t chasing(uint64_t *seed) {
    static uint32_t order[NODES];
    for (uint32_t i = 0; i < NODES; i++) order[i] = i;
    for (uint32_t i = NODES - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(bench_random(seed) % i), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    for (uint32_t i = 0; i < NODES; i++) nodes[i] = (struct node){&nodes[order[i]], i, {0}};
    uint64_t sum = 0;
    struct node *n = nodes;
    for (long i = 0; i < STEPS; i++) {
        sum = sum * 3 + n->value++;
        n = n->next;
    }
    return sum;
}

static uint64_t work(void) {
    uint64_t seed = 42, sum = sorting(&seed);
    sum ^= hashing(&seed) << 8;
    sum ^= chasing(&seed);
    return sum;
}

int main(int argc, char **argv) {
    return bench_repeat(argc, argv, work, UINT64_C(0x56c3dfb7008e9b70));
}
