// The hot set: loops that run long enough to be translated well, in the smallest image with a shell. The
// peers are QEMU and the same C compiled for the host. bench/README.md says what each stands for.
import { CHROMIUM, MEMORY_MB } from '../lib/paths.mjs';
import { plainRow } from '../lib/stats.mjs';
import { measure } from '../lib/suite.mjs';
import { SETS } from '../lib/targets.mjs';

const HOT = SETS.hot.rows;
const MEMORY = 'tab-memory';

// How often each does its work: so that QEMU runs for 3 to 6 seconds, and what warms up in less than one is
// a small part of the figure. rows/short.mjs has it in full.
const TIMES = { coremark: 10, 'sort-chase': 7, sha256: 9, strings: 10, fib: 12, bytecode: 12, mandelbrot: 4, matrix: 4 };

/** A row of a program that repeats its work so often. */
export const repeated = (program, times, name = program) => ({
    name,
    command: `./${program} ${times}`,
    programs: [program],
    host: [program, `${times}`],
    printsTime: true,
});

// The instructions are those that our engine counts (QEMU's counter shows time), the same for every
// engine; the ratio is that of the times.
function mips(coremark, samples) {
    if (coremark.name !== 'coremark' || samples[0].instructions === 0) return [];
    const rate = (seconds) => (seconds === null ? null : samples[0].instructions / 1e6 / seconds);
    const keys = ['ours', 'peer', 'ours_cpu', 'peer_cpu', 'ours_wall', 'peer_wall'];
    const figures = Object.fromEntries(keys.map((k) => [k, rate(coremark[k])]));
    return [{ ...coremark, ...figures, name: 'coremark-mips', unit: 'MIPS', host: null, ratio_host: null }];
}

// What the tab has beyond the guest's memory in use.
async function tabMemory(guest) {
    const { output } = await guest.run(`while read -r name kb unit; do case $name in MemFree:) echo $kb;; esac; done </proc/meminfo`);
    const used = MEMORY_MB * 1024 * 1024 - Number(output) * 1024;
    const total = guest.memory();
    return [plainRow(MEMORY, CHROMIUM, total - used, 'bytes'), plainRow('tab-memory-total', CHROMIUM, total, 'bytes')];
}

export default {
    names: [...HOT, MEMORY],
    rounds: 3,
    async run({ rows: wanted, rounds: count, where, engine }) {
        const all = wanted.includes(MEMORY);
        const names = all ? HOT : HOT.filter((n) => wanted.includes(n));
        const memory = [];
        const atEnd = async (guests) => {
            if (!all || !guests[CHROMIUM]) return;
            const rows = await tabMemory(guests[CHROMIUM]).catch((e) => console.error(`${MEMORY}: ${e.message}`));
            memory.push(...(rows ?? []));
        };
        const { rows, failed } = await measure(names.map((n) => repeated(n, TIMES[n])), { image: 'busybox', count, where, engine, more: mips, atEnd });
        if (all && where[CHROMIUM] && memory.length === 0) failed.push(MEMORY);
        return { rows: [...rows, ...memory], failed };
    },
};
