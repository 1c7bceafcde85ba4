// Processor seconds that processes have used, from Linux's /proc: what is left of a measurement on a
// machine that has other things to do. undefined where it cannot be known.
import { readdirSync, readFileSync } from 'node:fs';

const TICKS = 100; // USER_HZ, the same on every Linux that Node runs on

export function cpuOf(pid) {
    try {
        const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
        return (Number(fields[11]) + Number(fields[12])) / TICKS;
    } catch {
        return undefined;
    }
}

// The processes whose command line has all of `parts` in it.
function* processes(...parts) {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
        try {
            const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
            if (parts.every((p) => line.includes(p))) yield pid;
        } catch {
            // It ended meanwhile.
        }
    }
}

/** The sum of all processes whose command line has `part` in it. */
export function cpuOfAll(part) {
    let sum = 0;
    for (const pid of processes(part)) sum += cpuOf(pid) ?? 0;
    return sum;
}

/** Bytes of private memory: what Chromium's own task manager calls a process's footprint. */
export function memoryOf(pid) {
    return Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
}

/** The tab of a browser with this profile that has the most. */
export function rendererMemory(profile) {
    return Math.max(...[...processes(profile, '--type=renderer')].map(memoryOf));
}

/** Runs a command in a guest that has cpu(): its result with the processor seconds it took. */
export async function timed(guest, command) {
    const before = guest.cpu();
    const result = await guest.run(command);
    return { ...result, cpu: guest.cpu() - before };
}
