// What docs/performance.md aims at, and how far the rows are from it.
import { geomean } from './stats.mjs';

const HOT = ['coremark', 'sort-chase', 'sha256', 'strings', 'fib', 'bytecode', 'mandelbrot', 'matrix'];

// `peer` and `host`: the geometric mean of the ratios to them; `each`: the most that one row may have.
export const SETS = {
    hot: { rows: HOT, riscv64: { peer: 0.35, host: 2.4 }, x86_64: { peer: 0.4 } },
    short: { rows: HOT.map((name) => `${name}-short`) },
    x86: { rows: ['x87', 'sse2', 'avx2'], x86_64: { each: 1 } },
    cold: {
        rows: [
            'calls-2000', 'cold-50000', 'fork-exec-static', 'fork-exec-dynamic', 'syscalls', 'pipe-ping-pong', 'page-faults',
            'boot', 'gcc-hello', 'python-start', 'python-loop', 'gzip', 'sort-lines', 'find-usr',
        ],
        riscv64: { peer: 0.6, each: 1 },
        x86_64: { peer: 0.7, each: 1.2 },
    },
    'v86-hot': { rows: HOT.map((name) => `v86-${name}`), x86_64: { each: 1 } },
    'v86-cold': {
        rows: [
            'calls-2000', 'cold-50000', 'fork-exec-static', 'fork-exec-dynamic', 'syscalls', 'pipe-ping-pong', 'page-faults', 'gzip',
            'sort-lines', 'boot',
        ].map((name) => `v86-${name}`),
        x86_64: { each: 0.5 },
    },
};

// Of single rows: `ratio` and `most` from above, `least` from below; `arch`: only there.
const SINGLE = {
    'fork-exec-dynamic': { ratio: 0.5, arch: 'riscv64' },
    'interpreter-mips': { least: 350, arch: 'riscv64' },
    'tab-memory': { most: 150e6 },
    'engine-size-gzip': { most: 1e6 },
};

const verdict = (met) => (met ? 'met' : 'MISSED');
// "chromium-ARCH", or "chromium-ARCH/ENGINE".
const archOf = (where) => /^chromium-(\w+)/.exec(where)?.[1];
const places = (rows) => [...new Set(rows.map((r) => r.where))].filter((w) => archOf(w) !== undefined);

function mean(rows, key, target, label) {
    const ratios = rows.map((r) => r[key]).filter((x) => typeof x === 'number');
    if (ratios.length === 0) return [];
    const value = geomean(ratios);
    if (target === undefined) return [`  ${label}: ${value.toFixed(2)}`];
    const above = rows.filter((r) => r[key] > target);
    const which = above.length === 0 ? 'no row is above it' : `${above.length} of ${ratios.length} rows are above it: ${above.map((r) => r.name).join(' ')}`;
    return [`  ${label}: ${value.toFixed(2)}, target ${target}: ${verdict(value <= target)}; ${which}`];
}

function ofSet(name, where, rows) {
    const set = SETS[name];
    const own = rows.filter((r) => r.where === where && set.rows.includes(r.name));
    if (own.length === 0) return [];
    const lines = [`${name}, ${where}: geometric means of ${own.length} of ${set.rows.length} rows`];
    const target = set[archOf(where)] ?? {};
    lines.push(...mean(own, 'ratio', target.peer, `of ${own[0].peer_name}`));
    const cpu = own.map((r) => r.ratio_cpu).filter((x) => typeof x === 'number');
    if (cpu.length > 0) lines.push(`  of ${own[0].peer_name} in processor seconds (${cpu.length} rows): ${geomean(cpu).toFixed(2)}`);
    lines.push(...mean(own, 'ratio_host', target.host, 'of the same C on the host'));
    if (target.each) {
        const slow = own.filter((r) => r.ratio > target.each);
        lines.push(`  above ${target.each}: ${slow.length === 0 ? 'none' : slow.map((r) => `${r.name} ${r.ratio.toFixed(2)}`).join(', ')}: ${verdict(slow.length === 0)}`);
    }
    return lines;
}

function ofRow(row) {
    const t = SINGLE[row.name];
    const arch = archOf(row.where);
    if (t === undefined || (row.where !== 'wasm' && arch === undefined) || (t.arch ?? arch) !== arch) return [];
    const [value, met, bound] = t.ratio !== undefined ? [row.ratio.toFixed(2), row.ratio <= t.ratio, `at most ${t.ratio} of the peer`]
        : t.most !== undefined ? [`${(row.ours / 1e6).toFixed(2)} MB`, row.ours <= t.most, `at most ${t.most / 1e6} MB`]
        : [row.ours.toFixed(0), row.ours >= t.least, `at least ${t.least}`];
    return [`${row.name}, ${row.where}: ${value}, target ${bound}: ${verdict(met)}`];
}

/** Lines about the sets and rows that have a target. */
export function summary(rows) {
    const sets = Object.keys(SETS).flatMap((name) => places(rows).flatMap((where) => ofSet(name, where, rows)));
    return [...sets, ...rows.flatMap(ofRow)];
}
