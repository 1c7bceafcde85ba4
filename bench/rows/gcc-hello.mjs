// gcc-hello: seconds for compiling and running hello.c as the first thing after the boot, when the guest
// has read none of gcc yet. gcc-hello-warm: the same once more, in the same guest.
import { Browser, ChromiumGuest } from '../lib/chromium.mjs';
import { NativeGuest } from '../lib/native.mjs';
import { QEMU, QemuGuest } from '../lib/qemu.mjs';
import { rounds, timeRow } from '../lib/stats.mjs';

const SOURCE = String.raw`#include <stdio.h>\nint main(void) { puts("Hello"); return 0; }\n`;
const COMPILE = 'gcc /tmp/hello.c -o /tmp/hello && /tmp/hello';

async function sample(start) {
    const guest = await start('debian-gcc');
    try {
        await guest.run(`printf '${SOURCE}' >/tmp/hello.c`);
        const cold = await guest.run(COMPILE);
        const warm = await guest.run(COMPILE);
        if (cold.output !== 'Hello') throw new Error(`hello.c printed: ${cold.output}`);
        return { cold: cold.seconds, warm: warm.seconds };
    } finally {
        await guest.close();
    }
}

export default {
    name: 'gcc-hello',
    rounds: 3,
    async run({ rounds: count, where }) {
        const browser = where['chromium-riscv64'] ? await Browser.launch() : undefined;
        try {
            const samplers = { peer: () => sample(QemuGuest.start) };
            if (where.native) samplers.native = () => sample(NativeGuest.start);
            if (browser) samplers['chromium-riscv64'] = () => sample((image) => ChromiumGuest.start(browser, image));
            const samples = await rounds(count, samplers);
            const row = (name, n, key) => timeRow(name, n, samples[n].map((s) => s[key]), samples.peer.map((s) => s[key]), QEMU);
            return Object.keys(samples).filter((n) => n !== 'peer').flatMap((n) => [row('gcc-hello', n, 'cold'), row('gcc-hello-warm', n, 'warm')]);
        } finally {
            await browser?.close();
        }
    },
};
