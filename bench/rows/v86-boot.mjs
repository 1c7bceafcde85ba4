// v86-boot: as boot, beside v86, each in a browser of its own. v86's time has its BIOS and the kernel's unpacking
// of itself in it, because it can load only bzImages. Ours is the x86_64 guest.
import { Browser } from '../lib/chromium.mjs';
import { CHROMIUM } from '../lib/paths.mjs';
import { rounds, timeRow } from '../lib/stats.mjs';
import { bootInV86, V86 } from '../lib/v86.mjs';
import { inChromium, MARK } from './boot.mjs';

async function inV86() {
    const browser = await Browser.launch();
    try {
        return { seconds: await bootInV86(browser, MARK) };
    } finally {
        await browser.close();
    }
}

export default {
    names: ['v86-boot'],
    archs: ['x86_64'],
    rounds: 3,
    async run({ rounds: count, where, engine }) {
        if (!where[CHROMIUM]) return [];
        const samples = await rounds(count, { peer: inV86, [CHROMIUM]: () => inChromium(engine) });
        return [timeRow('v86-boot', CHROMIUM, samples[CHROMIUM], samples.peer, V86)];
    },
};
