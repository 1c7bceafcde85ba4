// gcc-hello: seconds for compiling and running hello.c as the first thing after the boot, when the guest
// has read none of gcc yet. gcc-hello-warm: the same once more, in the same guest.
import { Browser, ChromiumGuest } from '../lib/chromium.mjs';
import { timed } from '../lib/cpu.mjs';
import { NativeGuest } from '../lib/native.mjs';
import { QEMU, QemuGuest } from '../lib/qemu.mjs';
import { rounds, timeRow } from '../lib/stats.mjs';

const SOURCE = String.raw`#include <stdio.h>\nint main(void) { puts("Hello"); return 0; }\n`;
const COMPILE = 'gcc /tmp/hello.c -o /tmp/hello && /tmp/hello';

async function sample(start) {
    const guest = await start('debian-gcc');
    try {
        await guest.run(`printf '${SOURCE}' >/tmp/hello.c`);
        const cold = await timed(guest, COMPILE);
        const warm = await timed(guest, COMPILE);
        if (cold.output !== 'Hello') throw new Error(`hello.c printed: ${cold.output}`);
        return { cold, warm };
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
            const of = (who, key) => samples[who].map((s) => s[key]);
            const row = (name, who, key) => timeRow(name, who, of(who, key), of('peer', key), QEMU);
            const ours = Object.keys(samples).filter((n) => n !== 'peer');
            return ours.flatMap((n) => [row('gcc-hello', n, 'cold'), row('gcc-hello-warm', n, 'warm')]);
        } finally {
            await browser?.close();
        }
    },
};
