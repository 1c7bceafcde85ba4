// Rows of build/bench.json as a table, on a terminal or in docs/performance.md.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { QEMU } from './qemu.mjs';
import { summary } from './targets.mjs';

function number(value, unit) {
    if (unit === 'bytes') return value.toLocaleString('en-US');
    return unit === 'MIPS' ? value.toFixed(0) : value.toPrecision(3);
}

function cells(row) {
    const ratio = (r) => (typeof r === 'number' ? r.toFixed(2) : '');
    const figure = (v) => (typeof v === 'number' ? number(v, row.unit) : '');
    return [
        row.name, row.where, row.unit, figure(row.ours), figure(row.peer), ratio(row.ratio), figure(row.host), ratio(row.ratio_host),
        figure(row.ours_cpu), figure(row.peer_cpu), ratio(row.ratio_cpu),
    ];
}

const HEAD = ['row', 'where', 'unit', 'ours', 'peer', 'ratio', 'host C', 'ratio', 'ours, CPU', 'peer, CPU', 'ratio, CPU'];
const LEFT = 3; // the first columns are words

export function table(rows, markdown = false) {
    const lines = [HEAD, ...rows.map(cells)];
    if (markdown) lines.splice(1, 0, HEAD.map((_, i) => (i < LEFT ? '---' : '---:')));
    const widths = HEAD.map((_, i) => Math.max(...lines.map((l) => l[i].length)));
    const pad = (text, i) => (i < LEFT ? text.padEnd(widths[i]) : text.padStart(widths[i]));
    const edge = markdown ? '|' : '';
    return lines.map((l) => `${edge} ${l.map(pad).join(markdown ? ' | ' : '  ')} ${edge}`.trim()).join('\n');
}

const BEGIN = '<!-- measured: make bench-doc writes from here -->';
const END = '<!-- to here -->';

const versionOf = (program, ...args) => /\d+\.\d+/.exec(execFileSync(program, args, { stdio: ['ignore', 'pipe', 'ignore'] }).toString())[0];

/** Replaces what the document says was measured. */
export function writeDocument(file, rows) {
    const text = readFileSync(file, 'utf8');
    const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
    if (from < 0 || to < from) throw new Error(`${file} lacks the lines ${BEGIN} and ${END}`);
    const loads = rows.map((r) => r.load);
    const about = [
        `Measured on ${new Date().toISOString().slice(0, 10)}: ${os.cpus().length} processors (${os.arch() === 'x64' ? 'x86-64' : os.arch()}),`,
        `load of the machine before the rows ${Math.min(...loads)} to ${Math.max(...loads)},`,
        `Chromium ${versionOf(process.env.CHROMIUM ?? 'chromium', '--version')}, QEMU ${versionOf(QEMU, '--version')}.`,
    ].join(' ');
    writeFileSync(file, `${text.slice(0, from)}${BEGIN}\n\n${about}\n\n${table(rows, true)}\n\n${summary(rows).map((l) => `    ${l}`).join('\n')}\n\n${text.slice(to)}`);
}
