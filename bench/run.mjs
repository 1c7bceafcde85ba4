// Measures and writes build/bench.json, a list of
//   { name, where, ours, peer, peer_name, ratio, unit, rounds, load }     ratio: ours / peer in time
// and prints it as a table, with the sets' geometric means and their targets. Further fields: stats.mjs. Rows
// that were not measured this time keep what the file had.
//
//   node bench/run.mjs [--row NAME]... [--set hot|short|x86|cold|v86-hot|v86-cold]... [--where native|chromium-ARCH|wasm]...
//                      [--rounds N] [--engine interp|jit] [--out FILE] [--doc FILE]
//
// Without --where what users have: wasm and chromium-ARCH. With --engine the place is "chromium-ARCH/ENGINE"; that of
// native rows is "native-ARCH".
// --doc puts what the file holds into docs/performance.md and measures nothing. The architecture is BENCH_ARCH
// of the environment; rows that it does not have are left out.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ARCH, built, CHROMIUM } from './lib/paths.mjs';
import { table, writeDocument } from './lib/table.mjs';
import { SETS, summary } from './lib/targets.mjs';

const MODULES = await Promise.all(['engine-size', 'hot', 'short', 'x86', 'cold', 'boot', 'v86', 'v86-boot', 'interpreter-mips', 'prompt'].map(async (m) => (await import(`./rows/${m}.mjs`)).default));
const ROWS = MODULES.flatMap((m) => m.names);
const WHERE = ['wasm', CHROMIUM, 'native'];
const USUALLY = ['wasm', CHROMIUM];
const ENGINES = ['interp', 'jit'];

function read(file) {
    try {
        return JSON.parse(readFileSync(file, 'utf8'));
    } catch (e) {
        if (e.code === 'ENOENT') return [];
        throw new Error(`${file}: ${e.message}; remove it`);
    }
}

const key = (row) => `${row.where}/${row.name}`;

// New rows take the place of old ones of the same name and place.
function merge(old, rows) {
    const fresh = new Map(rows.map((r) => [key(r), r]));
    const kept = old.map((r) => fresh.get(key(r)) ?? r);
    const had = new Set(old.map(key));
    return [...kept, ...rows.filter((r) => !had.has(key(r)))];
}

function options() {
    const { values } = parseArgs({
        options: {
            row: { type: 'string', multiple: true },
            set: { type: 'string', multiple: true },
            where: { type: 'string', multiple: true },
            engine: { type: 'string' },
            rounds: { type: 'string' },
            out: { type: 'string', default: built('bench.json') },
            doc: { type: 'string' },
        },
    });
    const engine = values.engine === undefined ? [] : [values.engine];
    for (const [given, known] of [[values.row, ROWS], [values.set, Object.keys(SETS)], [values.where, WHERE], [engine, ENGINES]]) {
        const wrong = given?.find((g) => !known.includes(g));
        if (wrong !== undefined) throw new Error(`"${wrong}": there are ${known.join(', ')}`);
    }
    const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
    if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) throw new Error('--rounds takes a number above 0');
    const given = [...(values.row ?? []), ...(values.set ?? []).flatMap((s) => SETS[s].rows)];
    const where = Object.fromEntries(WHERE.map((w) => [w, (values.where ?? USUALLY).includes(w)]));
    return { ...values, rounds, row: given.length > 0 ? given : ROWS, where };
}

async function measure(o) {
    let measured = [];
    const failed = [];
    for (const module of MODULES) {
        const wanted = module.names.filter((n) => o.row.includes(n));
        if (wanted.length === 0 || !(module.archs ?? [ARCH]).includes(ARCH)) continue;
        // What else the machine was doing: figures of a busy one are worth less.
        const load = Number(os.loadavg()[0].toFixed(1));
        process.stderr.write(`${wanted.join(' ')} (load ${load} on ${os.cpus().length} processors)\n`);
        let all;
        try {
            all = await module.run({ rows: wanted, rounds: o.rounds ?? module.rounds, where: o.where, engine: o.engine });
        } catch (e) {
            // The others are still worth having.
            failed.push(...wanted);
            console.error(`bench: ${e.message}`);
            continue;
        }
        const place = (where) => (where === 'native' ? `native-${ARCH}` : where === CHROMIUM && o.engine !== undefined ? `${where}/${o.engine}` : where);
        failed.push(...(all.failed ?? []));
        const rows = (all.rows ?? all).filter((r) => o.where[r.where]).map((r) => ({ ...r, where: place(r.where), load }));
        measured = merge(measured, rows);
        mkdirSync(path.dirname(o.out), { recursive: true });
        writeFileSync(o.out, JSON.stringify(merge(read(o.out), rows), null, 2) + '\n');
    }
    return { rows: measured, failed };
}

try {
    const o = options();
    if (o.doc !== undefined) {
        writeDocument(o.doc, read(o.out));
        process.exit(0);
    }
    const { rows, failed } = await measure(o);
    console.log([table(rows), '', ...summary(rows)].join('\n'));
    if (failed.length > 0) throw new Error(`not measured: ${failed.join(', ')}`);
    process.exit(0);
} catch (error) {
    console.error(`bench: ${error.message}`);
    process.exit(1);
}
