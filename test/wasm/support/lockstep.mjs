// The translator in lock step with the evaluator and the interpreter: random programs of a guest, saved cases, Linux.
// LOCKSTEP_COUNT=1000 LOCKSTEP_SEED=7 node --test test/wasm/lockstep.mjs runs more.
import assert from 'node:assert';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { build, runWasi } from './wasi.mjs';

const count = Number(process.env.LOCKSTEP_COUNT ?? 60);
const seed = Number(process.env.LOCKSTEP_SEED ?? 1);
const good = (out) => assert.match(out, /^\d+ passed, 0 failed$/m);
// Each pass of the translator off, and all of them.
const passes = ['first', 'calls', 'inline', 'chain', 'multipage', 'float', 'switch', 'pages', 'windows', 'lean', 'narrow', 'hints', 'async'];

export function randomPrograms(guest, share = 1) {
    const some = (divisor) => Math.ceil((count * share) / divisor);
    const random = (from, n, ...args) =>
        good(
            runWasi('lockstep.wasm', 'random', '--guest', guest, '--dut', 'jit', '--out', `${build}/test`,
                '--seed', seed + from, '--count', n, ...args),
        );
    test(`${guest}: random programs, each with its torture`, () => random(0, some(1)));
    test(`${guest}: random programs, stopped at every exit`, () => random(20000, some(4), '--torture', 'hot,exits'));
    test(`${guest}: random programs, hot after some time, in long runs`, () => {
        random(30000, some(4), '--torture', '', '--chunk', '2000-9000', '--insns', 200000, '--ref', 'interp');
    });
    if (guest === 'x86_64')
        test(`${guest}: random programs, executed from their bytes first`, () => random(50000, some(2), '--torture', 'hot,first'));
    test(`${guest}: random programs without single passes`, () => {
        for (const [i, pass] of [...passes, passes.join()].entries())
            random(40000 + 100 * i, some(15), '--no', pass);
    });
}

export function savedCases() {
    test('saved cases', () => {
        const files = readdirSync('test/lockstep/cases').filter((f) => f.endsWith('.case'));
        assert.ok(files.length > 0);
        good(runWasi('lockstep.wasm', 'case', '--dut', 'jit', ...files.map((f) => `test/lockstep/cases/${f}`)));
    });
}

// A kernel to its end, with every register compared at each stop and memory every two million instructions.
export function boot(guest, end, files, ...args) {
    const out = runWasi('lockstep.wasm', 'boot', '--guest', guest, '--dut', 'jit', '--ref', 'interp', ...args, ...files);
    good(out);
    assert.match(out, end, 'the guest got to its end');
    const figure = (what) => Number(new RegExp(`^ *(\\d+)  ${what}$`, 'm').exec(out)?.[1] ?? 0);
    const share = figure('of them by translated code') / figure('guest instructions');
    assert.ok(share >= 0.1, `${share.toFixed(3)} of the instructions ran in translated code`);
    return figure;
}

export function linux(guest) {
    const files = [`${build}/guest/${guest}/Image`, `${build}/test/lockstep/${guest}/initramfs`];
    const run = (rounds, ...args) =>
        boot(guest, /^lockstep end /m, files, '--append', `console=ttyS0 loglevel=4 LOCKSTEP_ROUNDS=${rounds}`, ...args);
    const windows = (figure) => assert.ok(figure('of them with windows') > 0, 'some were made anew with windows');
    test(`${guest}: Linux, hot code translated`, () => windows(run(10)));
    test(`${guest}: Linux, everything translated at once`, () => windows(run(2, '--torture', 'hot')));
    test(`${guest}: Linux, with eviction, few translations of addresses, late arrivals`, () => {
        run(1, '--torture', 'hot,evict,tlb,late');
    });
    test(`${guest}: Linux, with eviction of decoded code and of translations`, () => run(1, '--torture', 'hot,evict,arena'));
    if (guest !== 'x86_64') return;
    test(`${guest}: Linux, everything executed from its bytes twice and then translated`, () => {
        const figure = run(1, '--torture', 'hot,first');
        assert.ok(figure('of them from their bytes') > 100000, 'much was executed from its bytes');
    });
}
