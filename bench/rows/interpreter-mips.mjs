// interpreter-mips: CoreMark's guest instructions a second, in millions, in Chromium with the interpreter
// alone; ours_cpu: the same by processor time of the whole browser.
import { Browser } from '../lib/chromium.mjs';
import { timed } from '../lib/cpu.mjs';
import { CHROMIUM } from '../lib/paths.mjs';
import { plainRow } from '../lib/stats.mjs';
import { startGuest } from '../lib/suite.mjs';

async function sample() {
    const browser = await Browser.launch();
    let guest;
    try {
        guest = await startGuest(CHROMIUM, 'busybox', { browser, engine: 'interp', programs: ['coremark'] });
        const before = await guest.instructions();
        const { output, cpu } = await timed(guest, '/tmp/bench/coremark');
        const instructions = (await guest.instructions()) - before;
        const [, seconds] = output.split(' ').map(Number);
        return { wall: instructions / 1e6 / seconds, cpu: instructions / 1e6 / cpu };
    } finally {
        await guest?.close();
        await browser.close();
    }
}

export default {
    names: ['interpreter-mips'],
    rounds: 3,
    async run({ rounds: count, where }) {
        if (!where[CHROMIUM]) return [];
        const rates = [];
        for (let i = 0; i < count; i++) rates.push(await sample());
        const best = (key) => Math.max(...rates.map((r) => r[key]));
        return [{ ...plainRow('interpreter-mips', CHROMIUM, best('wall'), 'MIPS', count), ours_cpu: best('cpu') }];
    },
};
