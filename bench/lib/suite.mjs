// Many rows in one environment: a round boots each side once and runs the rows one after the other, the
// sides in turns within each row. A row is
//   { name, command, prepare?, programs?, printsTime?, check?, host?, needs? }
// `prepare` runs untimed before it, `programs` are copied from /bench to /tmp/bench. With printsTime the
// command prints "RESULT SECONDS INSTRUCTIONS" (bench/guest/bench.h) and SECONDS count; without, the time
// from sending the command to having what it printed. What a command prints, or else what the untimed `check`
// prints, must be the same everywhere. `host` is the command line of the same program for the host. A row that
// `needs` something of the CPU (a word of /proc/cpuinfo) is left out where a guest lacks it.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { Browser, ChromiumGuest, newProfile, removeProfile } from './chromium.mjs';
import { timed } from './cpu.mjs';
import { NativeGuest } from './native.mjs';
import { CHROMIUM, hostPrograms } from './paths.mjs';
import { QEMU, QemuGuest } from './qemu.mjs';
import { timeRow } from './stats.mjs';

const FOLDER = '/tmp/bench';
const HOST_RUNS = 3; // they are short
// Both sides stand at the prompt for so long before the first row, as when somebody reads it. Our engine translates
// what it knows to be hot of the kernel meanwhile.
const PROMPT_MS = 6000;

// A guest's clock that runs slow would make us fast. Between reading it before and after the command no
// more can have passed than here, and not much less: the way of the messages, on a machine that may be busy.
const CLOCK = 'read -r clock rest </proc/uptime';
function trustClock(name, who, wall, uptimes) {
    const [before, after] = uptimes.split(' ').map(Number);
    const guest = after - before;
    if (guest > wall + 0.03 || guest < wall * 0.95 - 0.5 || !(guest >= 0)) {
        throw new Error(`${name}: by the clock of ${who} ${guest.toFixed(2)} s have passed, by ours ${wall.toFixed(2)} s`);
    }
}

function parse(name, output) {
    const [, result, seconds, instructions] = /^(\S+) ([\d.]+) (\d+)$/.exec(output) ?? [];
    if (result === undefined) throw new Error(`${name} printed: ${output}`);
    return { result, seconds: Number(seconds), instructions: Number(instructions) };
}

async function selfTimed(guest, who, row) {
    const command = `cd ${FOLDER}; ${CLOCK}; begin=$clock; ${row.command}; status=$?; ${CLOCK}; echo "$begin $clock"; (exit $status)`;
    const { seconds: wall, cpu, output } = await timed(guest, command);
    const [line, uptimes = ''] = output.split('\n');
    trustClock(row.name, who, wall, uptimes);
    return { ...parse(row.name, line), wall, cpu };
}

// Programs for x86 cannot read how many instructions have retired, but our engine knows: with those of the
// shell, which are few.
async function counted(guest, who, row) {
    const before = await guest.instructions?.();
    const s = await selfTimed(guest, who, row);
    if (s.instructions === 0 && before !== undefined) s.instructions = (await guest.instructions()) - before;
    return s;
}

async function sample(guest, who, row) {
    if (row.prepare) await guest.run(row.prepare);
    if (row.printsTime) return counted(guest, who, row);
    const { seconds: wall, cpu, output } = await timed(guest, `cd ${FOLDER}; ${row.command}`);
    const result = row.check ? (await guest.run(row.check)).output : output;
    return { result, seconds: wall, wall, cpu };
}

function hostSample(row) {
    let best;
    for (let i = 0; i < HOST_RUNS; i++) {
        const [name, ...args] = row.host;
        const s = parse(row.name, execFileSync(path.join(hostPrograms, name), args).toString().trim());
        if (best === undefined || s.seconds < best.seconds) best = s;
    }
    return best;
}

// The rows that a guest's CPU can run.
async function possible(guests, rows) {
    const lacking = new Set();
    for (const [who, guest] of Object.entries(guests)) {
        if (!rows.some((r) => r.needs)) break;
        const words = new Set((await guest.run('cat /proc/cpuinfo')).output.split(/\s+/));
        for (const r of rows.filter((r) => r.needs && !words.has(r.needs))) {
            lacking.add(r);
            process.stderr.write(`  ${r.name} is left out: ${who} has no ${r.needs}\n`);
        }
    }
    return rows.filter((r) => !lacking.has(r));
}

export const QEMU_PEER = { name: QEMU, start: (_, image) => QemuGuest.start(image) };

export async function startGuest(who, image, { browser, engine, programs, programArch, peer }) {
    let guest;
    if (who === 'peer') guest = await peer.start(browser, image);
    else if (who === 'native') guest = await NativeGuest.start(image);
    else guest = await ChromiumGuest.start(browser, image, { engine, programs, programArch });
    const list = programs.map((p) => `/bench/${p}`).join(' ');
    await guest.run(`mkdir -p ${FOLDER}${list && ` && cp ${list} ${FOLDER} && chmod +x ${FOLDER}/*`}`);
    return guest;
}

// Calls record(row, who, sample) and fail(row, error).
async function round({ rows, image, sides, engine, profile, backwards, atEnd, peer, programArch }, record, fail) {
    const programs = [...new Set(rows.flatMap((r) => r.programs ?? []))];
    const guests = {};
    const browser = sides.includes(CHROMIUM) ? await Browser.launch(profile) : undefined;
    try {
        for (const who of sides) guests[who] = await startGuest(who, image, { browser, engine, programs, programArch, peer });
        await new Promise((resolve) => setTimeout(resolve, PROMPT_MS));
        const turn = Object.entries(guests);
        if (backwards) turn.reverse();
        for (const row of await possible(guests, rows)) {
            process.stderr.write(`  ${row.name}`);
            // The other rows are still worth having.
            try {
                for (const [who, guest] of turn) {
                    const s = await sample(guest, who, row);
                    process.stderr.write(` ${who} ${s.seconds.toFixed(3)}`);
                    record(row, who, s);
                }
                if (row.host) record(row, 'host', hostSample(row));
            } catch (e) {
                fail(row, e);
            }
            process.stderr.write('\n');
        }
        await atEnd?.(guests);
    } finally {
        for (const guest of Object.values(guests)) await guest.close();
        await browser?.close();
    }
}

function sameResults(row, samples) {
    const results = new Set(Object.values(samples).flatMap((list) => list.map((s) => s.result)));
    if (results.size !== 1) throw new Error(`${row.name}: the results differ: ${[...results].join(', ')}`);
}

/**
 * Measures rows in `count` rounds: { rows for build/bench.json, failed: names }. more(row, samples) may make
 * further ones of a row. atEnd(guests) is called before the last
 * round's guests end. peer: { name, start(browser, image) }, QEMU if not given; programArch: whose programs,
 * in the browser, if not the guest's.
 */
export async function measure(rows, { image, count, where, engine, more, atEnd, peer = QEMU_PEER, programArch, places = ['native', CHROMIUM] }) {
    const ours = places.filter((w) => where[w]);
    if (ours.length === 0) return { rows: [], failed: [] };
    const samples = Object.fromEntries(rows.map((r) => [r.name, {}]));
    const failed = new Set();
    const fail = (row, e) => {
        failed.add(row.name);
        console.error(` ${e.message}`);
    };
    const profile = newProfile(); // so that the image is fetched and unpacked once
    try {
        for (let i = 0; i < count; i++) {
            const options = { rows, image, engine, profile, peer, programArch, sides: ['peer', ...ours], backwards: i % 2 === 1 };
            await round({ ...options, atEnd: i === count - 1 ? atEnd : undefined }, (row, who, s) => {
                (samples[row.name][who] ??= []).push(s);
            }, fail);
        }
    } finally {
        removeProfile(profile);
    }
    for (const row of rows.filter((r) => !failed.has(r.name) && samples[r.name].peer)) {
        try {
            sameResults(row, samples[row.name]);
        } catch (e) {
            fail(row, e);
        }
    }
    const made = rows.filter((r) => !failed.has(r.name) && samples[r.name].peer).flatMap((row) => {
        const own = samples[row.name];
        return ours.flatMap((who) => {
            const first = timeRow(row.name, who, own[who], own.peer, peer.name, own.host);
            return [first, ...(more?.(first, own[who]) ?? [])];
        });
    });
    return { rows: made, failed: [...failed] };
}
