// coremark: seconds for the same iterations of bench/guest/coremark.c, by the host's clock.
// coremark-mips: the same as guest instructions a second. The instructions are those that our engine
// counts (QEMU's counter shows time), the same for every engine; the ratio is that of the times.
import { Browser, ChromiumGuest } from '../lib/chromium.mjs';
import { timed } from '../lib/cpu.mjs';
import { NativeGuest } from '../lib/native.mjs';
import { QEMU, QemuGuest } from '../lib/qemu.mjs';
import { rounds, timeRow } from '../lib/stats.mjs';

const ITERATIONS = 8000; // half a billion instructions: above a second for us
const WARM_UP = 1000;

export default {
    name: 'coremark',
    rounds: 5,
    async run({ rounds: count, where }) {
        const guests = { peer: await QemuGuest.start('debian-gcc') };
        const browser = where['chromium-riscv64'] ? await Browser.launch() : undefined;
        try {
            if (where.native) guests.native = await NativeGuest.start('debian-gcc');
            if (browser) guests['chromium-riscv64'] = await ChromiumGuest.start(browser, 'debian-gcc');
            const results = new Set();
            let instructions = 0;
            const samplers = {};
            for (const [name, guest] of Object.entries(guests)) {
                await guest.run(`cp /bench/coremark /tmp/coremark && chmod +x /tmp/coremark && /tmp/coremark ${WARM_UP}`);
                samplers[name] = async () => {
                    const sample = await timed(guest, `/tmp/coremark ${ITERATIONS}`);
                    const [crc, counted] = sample.output.split(' ');
                    results.add(crc);
                    if (name !== 'peer') instructions = Number(counted);
                    return sample;
                };
            }
            const samples = await rounds(count, samplers);
            if (results.size !== 1) throw new Error(`the engines computed different results: ${[...results].join(', ')}`);
            return Object.keys(samples).filter((n) => n !== 'peer').flatMap((n) => {
                const row = timeRow('coremark', n, samples[n], samples.peer, QEMU);
                const figures = Object.fromEntries(['ours', 'peer', 'ours_cpu', 'peer_cpu'].map((k) => [k, instructions / 1e6 / row[k]]));
                return [row, { ...row, ...figures, name: 'coremark-mips', unit: 'MIPS' }];
            });
        } finally {
            for (const guest of Object.values(guests)) await guest.close();
            await browser?.close();
        }
    },
};
