// The translator in lock step with the evaluator and the interpreter: random riscv64 programs, saved cases.
// LOCKSTEP_COUNT=1000 LOCKSTEP_SEED=7 node --test test/wasm/lockstep.mjs runs more.
import assert from 'node:assert';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { build, runWasi } from './support/wasi.mjs';

const count = Number(process.env.LOCKSTEP_COUNT ?? 60);
const seed = Number(process.env.LOCKSTEP_SEED ?? 1);
const random = (...args) => ['lockstep.wasm', 'random', '--dut', 'jit', '--out', `${build}/test`, ...args];
const good = (out) => assert.match(out, /^\d+ passed, 0 failed$/m);

test('random programs, each with its torture', () => {
    good(runWasi(...random('--seed', seed, '--count', count)));
});

test('random programs, stopped at every exit', () => {
    const few = Math.ceil(count / 4);
    good(runWasi(...random('--seed', seed + 20000, '--count', few, '--torture', 'hot,exits')));
});

test('random programs, hot after some time, in long runs', () => {
    const few = Math.ceil(count / 4);
    const args = ['--seed', seed + 30000, '--count', few, '--torture', '', '--chunk', '2000-9000', '--insns', 200000];
    good(runWasi(...random(...args, '--ref', 'interp')));
});

// Each pass of the translator off, and all of them.
const passes = ['calls', 'inline', 'chain', 'multipage', 'float', 'switch', 'pages', 'lean', 'hints', 'async'];
test('random programs without single passes', () => {
    for (const [i, pass] of [...passes, passes.join()].entries()) {
        const few = Math.ceil(count / 15);
        good(runWasi(...random('--seed', seed + 40000 + 100 * i, '--count', few, '--no', pass)));
    }
});

test('saved cases', () => {
    const files = readdirSync('test/lockstep/cases').filter((f) => f.endsWith('.case'));
    assert.ok(files.length > 0);
    good(runWasi('lockstep.wasm', 'case', '--dut', 'jit', ...files.map((f) => `test/lockstep/cases/${f}`)));
});

// Linux to power-off, with every register compared at each stop and memory every two million instructions.
const boot = (...args) => {
    const files = [`${build}/guest/riscv64/Image`, `${build}/test/lockstep/initramfs`];
    const out = runWasi('lockstep.wasm', 'boot', '--dut', 'jit', '--ref', 'interp', ...args, ...files);
    good(out);
    assert.match(out, /^lockstep end /m, 'the guest got to its end');
    assert.ok(Number(/(\d+)\s+regions translated/.exec(out)?.[1]) > 20, 'something was translated');
};
const append = (rounds) => ['--append', `console=ttyS0 loglevel=4 LOCKSTEP_ROUNDS=${rounds}`];

test('Linux, hot code translated', () => boot(...append(10)));
test('Linux, everything translated at once', () => boot('--torture', 'hot', ...append(2)));
test('Linux, with eviction, few translations of addresses, late arrivals', () => {
    boot('--torture', 'hot,evict,tlb,late', ...append(1));
});
