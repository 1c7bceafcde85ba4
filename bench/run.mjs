// Measures and writes build/bench.json, a list of
//   { name, where, ours, peer, peer_name, ratio, unit, rounds, load }     ratio: ours / peer in time
// and prints it as a table. ours_cpu, peer_cpu and ratio_cpu are the same in processor seconds, of all
// threads. Rows that were not measured this time keep what the file had.
//
//   node bench/run.mjs [--row NAME]... [--where native|chromium-riscv64|wasm]... [--rounds N]
//                      [--out FILE] [--doc FILE]
//
// --doc puts what the file holds into docs/performance.md and measures nothing. Ours and the peer take turns in
// each round and the ratio is the median of the rounds' ratios, because machines are noisy.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { built } from './lib/paths.mjs';
import { table, writeDocument } from './lib/table.mjs';

const ROWS = ['engine-size', 'boot', 'coremark', 'gcc-hello', 'prompt'];
const WHERE = ['wasm', 'native', 'chromium-riscv64'];

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
            where: { type: 'string', multiple: true },
            rounds: { type: 'string' },
            out: { type: 'string', default: built('bench.json') },
            doc: { type: 'string' },
        },
    });
    for (const [given, known] of [[values.row, ROWS], [values.where, WHERE]]) {
        const wrong = given?.find((g) => !known.includes(g));
        if (wrong !== undefined) throw new Error(`"${wrong}": there are ${known.join(', ')}`);
    }
    const rounds = values.rounds === undefined ? undefined : Number(values.rounds);
    if (rounds !== undefined && !(Number.isInteger(rounds) && rounds > 0)) throw new Error('--rounds takes a number above 0');
    return { ...values, rounds, where: Object.fromEntries(WHERE.map((w) => [w, values.where?.includes(w) ?? true])) };
}

async function measure(o) {
    let measured = [];
    const failed = [];
    for (const name of o.row ?? ROWS) {
        const row = (await import(`./rows/${name}.mjs`)).default;
        // What else the machine was doing: figures of a busy one are worth less.
        const load = Number(os.loadavg()[0].toFixed(1));
        process.stderr.write(`${name} (load ${load} on ${os.cpus().length} processors)\n`);
        let all;
        try {
            all = await row.run({ rounds: o.rounds ?? row.rounds, where: o.where });
        } catch (e) {
            // The others are still worth having.
            failed.push(name);
            console.error(`bench: ${name}: ${e.message}`);
            continue;
        }
        const rows = all.filter((r) => o.where[r.where]).map((r) => ({ ...r, load }));
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
    console.log(table(rows));
    if (failed.length > 0) throw new Error(`not measured: ${failed.join(', ')}`);
    process.exit(0);
} catch (error) {
    console.error(`bench: ${error.message}`);
    process.exit(1);
}
