// What docs/performance.md aims at, and how far the rows are from it.
import { CHROMIUM } from './paths.mjs';
import { geomean } from './stats.mjs';

export const SETS = {
    hot: {
        rows: ['coremark', 'sort-chase', 'sha256', 'strings', 'fib', 'bytecode', 'mandelbrot', 'matrix'],
        peer: 0.35,
        host: 2.4,
    },
    cold: {
        rows: [
            'calls-2000', 'cold-50000', 'fork-exec-static', 'fork-exec-dynamic', 'syscalls', 'pipe-ping-pong', 'page-faults',
            'boot', 'gcc-hello', 'python-start', 'python-loop', 'gzip', 'sort-lines', 'find-usr',
        ],
        peer: 0.6,
        each: 1,
    },
};

// Of single rows: `ratio` and `most` from above, `least` from below.
const SINGLE = {
    'fork-exec-dynamic': { ratio: 0.5 },
    'interpreter-mips': { least: 350 },
    'tab-memory': { most: 150e6 },
    'engine-size-gzip': { most: 1e6 },
};

const verdict = (met) => (met ? 'met' : 'MISSED');
const places = (rows) => [...new Set(rows.map((r) => r.where))].filter((w) => w.startsWith(CHROMIUM));

function mean(rows, key, target, label) {
    const ratios = rows.map((r) => r[key]).filter((x) => typeof x === 'number');
    if (ratios.length === 0) return [];
    const value = geomean(ratios);
    const above = rows.filter((r) => r[key] > target);
    const which = above.length === 0 ? 'no row is above it' : `${above.length} of ${ratios.length} rows are above it: ${above.map((r) => r.name).join(' ')}`;
    return [`  ${label}: ${value.toFixed(2)}, target ${target}: ${verdict(value <= target)}; ${which}`];
}

function ofSet(name, where, rows) {
    const set = SETS[name];
    const own = rows.filter((r) => r.where === where && set.rows.includes(r.name));
    if (own.length === 0) return [];
    const lines = [`${name}, ${where}: geometric means of ${own.length} of ${set.rows.length} rows`];
    lines.push(...mean(own, 'ratio', set.peer, `of ${own[0].peer_name}`));
    const cpu = own.map((r) => r.ratio_cpu).filter((x) => typeof x === 'number');
    if (cpu.length > 0) lines.push(`  of ${own[0].peer_name} in processor seconds (${cpu.length} rows): ${geomean(cpu).toFixed(2)}`);
    if (set.host) lines.push(...mean(own, 'ratio_host', set.host, 'of the same C on the host'));
    if (set.each) {
        const slow = own.filter((r) => r.ratio > set.each);
        lines.push(`  above ${set.each}: ${slow.length === 0 ? 'none' : slow.map((r) => `${r.name} ${r.ratio.toFixed(2)}`).join(', ')}: ${verdict(slow.length === 0)}`);
    }
    return lines;
}

function ofRow(row) {
    const t = SINGLE[row.name];
    if (t === undefined || !(row.where === 'wasm' || row.where.startsWith(CHROMIUM))) return [];
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
