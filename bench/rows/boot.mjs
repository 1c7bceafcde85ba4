// boot: seconds from the machine's start to the first line of init, with the same kernel and an
// initramfs that holds nothing else. Natively and for the peer the program's own start is included (for
// QEMU, that of its firmware too); in Chromium the time begins when engine and kernel are loaded.
import { spawn } from 'node:child_process';
import { bootInChromium, Browser } from '../lib/chromium.mjs';
import { cpuOf } from '../lib/cpu.mjs';
import { ARCH, built, CHROMIUM, guestFile, MEMORY_MB, top } from '../lib/paths.mjs';
import { append, MACHINE, QEMU } from '../lib/qemu.mjs';
import { rounds, timeRow } from '../lib/stats.mjs';

export const MARK = 'init is here';
const INITRD = built('bench', ARCH, 'init.cpio');

// Runs a command until MARK is in its output.
function untilMark(command, args) {
    const begin = performance.now();
    return new Promise((resolve, reject) => {
        const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        let sample;
        let output = '';
        child.on('error', (e) => reject(new Error(`${command}: ${e.message}`)));
        child.stderr.on('data', (data) => (output += data));
        child.stdout.on('data', (data) => {
            output += data;
            if (sample !== undefined || !output.includes(MARK)) return;
            sample = { seconds: (performance.now() - begin) / 1000, cpu: cpuOf(child.pid) };
        });
        child.on('close', (status) => {
            if (sample !== undefined && status === 0) resolve(sample);
            else reject(new Error(`${command} ended with status ${status}:\n${output.slice(-2000)}`));
        });
    });
}

// A browser of its own for each: an engine that V8 has not compiled yet.
export async function inChromium(engine) {
    const browser = await Browser.launch();
    try {
        return { seconds: await bootInChromium(browser, '/' + INITRD.slice(top.length + 1), MARK, engine) };
    } finally {
        await browser.close();
    }
}

export default {
    names: ['boot'],
    rounds: 5,
    async run({ rounds: count, where, engine }) {
        const words = append();
        const samplers = { peer: () => untilMark(QEMU, [...MACHINE, '-initrd', INITRD, '-append', words]) };
        const machine = ['machine', '--arch', ARCH, '--kernel', guestFile('Image'), '--initrd', INITRD, '--memory', `${MEMORY_MB}M`, '--append', words];
        if (where.native) samplers.native = () => untilMark(built('berth'), machine);
        if (where[CHROMIUM]) samplers[CHROMIUM] = () => inChromium(engine);
        const samples = await rounds(count, samplers);
        return Object.keys(samples).filter((n) => n !== 'peer').map((n) => timeRow('boot', n, samples[n], samples.peer, QEMU));
    },
};
