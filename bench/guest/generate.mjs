// Writes C that nobody wants to write: many small functions, all different.
//   node generate.mjs calls          calls-2000.c on stdout
//   node generate.mjs cold FOLDER    cold-50000: main.c and part0.c ... in FOLDER
import fs from 'node:fs';
import path from 'node:path';

const PARTS = 10, IN_PART = 5000, GROUP = 100;
const CALLED = 2000, CALLS = 200000;

// The same numbers everywhere (xorshift32).
let state = 2463534242;
function random(n) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
}

const MASK = (1n << 64n) - 1n;
const odd = () => BigInt(random(0x7fffffff)) * 2n + 1n;

// Each makes a statement and what it does to x.
const STEPS = [
    (c = odd()) => [`x += UINT64_C(${c});`, (x) => x + c],
    (n = 1 + random(40)) => [`x ^= x >> ${n};`, (x) => x ^ (x >> BigInt(n))],
    (c = odd()) => [`x *= UINT64_C(${c});`, (x) => x * c],
    (n = 1 + random(20), m = 40 + random(20)) => [`x = x << ${n} | x >> ${m};`, (x) => (x << BigInt(n)) | (x >> BigInt(m))],
    (bits = 1 + random(255), c = odd()) => [`if (x & ${bits}) x -= UINT64_C(${c});`, (x) => (x & BigInt(bits) ? x - c : x)],
    (c = odd()) => [`x ^= UINT64_C(${c});`, (x) => x ^ c],
    (n = 1 + random(30), bits = random(65536)) => [`x += (x >> ${n}) & ${bits};`, (x) => x + ((x >> BigInt(n)) & BigInt(bits))],
];
function body(count) {
    const steps = Array.from({ length: count }, () => STEPS[random(STEPS.length)]());
    const apply = (x) => steps.reduce((v, [, f]) => f(v) & MASK, x);
    return { text: steps.map(([text]) => text).join(' '), apply };
}

// One file: functions, callers of a hundred of them each, and what calls those. Returns what it does to x.
function part(file, name) {
    const lines = ['#include <stdint.h>', `uint64_t ${name}(uint64_t x);`];
    const bodies = Array.from({ length: IN_PART }, () => body(2 + random(3)));
    for (const [i, { text }] of bodies.entries()) lines.push(`static __attribute__((noinline)) uint64_t f${i}(uint64_t x) { ${text} return x; }`);
    const groups = IN_PART / GROUP;
    for (let g = 0; g < groups; g++) {
        lines.push(`static __attribute__((noinline)) uint64_t g${g}(uint64_t x) {`);
        for (let i = g * GROUP; i < (g + 1) * GROUP; i++) lines.push(`    x = f${i}(x);`);
        lines.push('    return x;', '}');
    }
    lines.push(`uint64_t ${name}(uint64_t x) {`, ...Array.from({ length: groups }, (_, g) => `    x = g${g}(x);`), '    return x;', '}');
    fs.writeFileSync(file, lines.join('\n') + '\n');
    return (x) => bodies.reduce((v, b) => b.apply(v), x);
}

function cold(folder) {
    fs.mkdirSync(folder, { recursive: true });
    const names = Array.from({ length: PARTS }, (_, i) => `part${i}`);
    const result = names.reduce((x, name) => part(path.join(folder, `${name}.c`), name)(x), 1n);
    fs.writeFileSync(path.join(folder, 'main.c'), `#include "bench.h"

${names.map((n) => `uint64_t ${n}(uint64_t x);`).join('\n')}

int main(void) {
    struct bench b = bench_begin();
    uint64_t x = 1;
${names.map((n) => `    x = ${n}(x);`).join('\n')}
    return bench_end(b, x, UINT64_C(${result}));
}
`);
}

function calls() {
    const lines = ['// Made by generate.mjs.', '#include "bench.h"', '', 'typedef uint64_t function(uint64_t x, unsigned depth);'];
    const names = Array.from({ length: CALLED }, (_, i) => `f${i}`);
    lines.push(`static function ${names.join(', ')};`, `static function *const table[] = {${names.join(', ')}};`);
    // Each calls one that depends on the data, down to some depth; every fourth calls a second.
    for (const [i, name] of names.entries()) {
        const call = `if (depth) x += table[(x >> ${random(30)}) % ${CALLED}](x, depth - 1);`;
        const second = i % 4 === 0 ? ` if (depth > 1) x ^= table[(x >> 9) % ${CALLED}](x, depth - 2);` : '';
        lines.push(`static uint64_t ${name}(uint64_t x, unsigned depth) { ${body(1 + random(3)).text} ${call}${second} ${body(1).text} return x; }`);
    }
    lines.push(`int main(void) {
    struct bench b = bench_begin();
    uint64_t x = 1, seed = 7;
    for (long i = 0; i < ${CALLS}; i++) x += table[bench_random(&seed) % ${CALLED}](x, 4);
    return bench_end(b, x, UINT64_C(0x25ec38c0f83a8a6d));
}`);
    process.stdout.write(lines.join('\n') + '\n');
}

const [what, folder] = process.argv.slice(2);
if (what === 'calls') calls();
else if (what === 'cold' && folder !== undefined) cold(folder);
else throw new Error('usage: generate.mjs calls | cold FOLDER');
