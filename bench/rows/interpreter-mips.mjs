// interpreter-mips: CoreMark's guest instructions a second, in millions, in Chromium with the interpreter
// alone.
import { Browser } from '../lib/chromium.mjs';
import { CHROMIUM } from '../lib/paths.mjs';
import { plainRow } from '../lib/stats.mjs';
import { startGuest } from '../lib/suite.mjs';

async function sample() {
    const browser = await Browser.launch();
    let guest;
    try {
        guest = await startGuest(CHROMIUM, 'busybox', { browser, engine: 'interp', programs: ['coremark'] });
        const [, seconds, instructions] = (await guest.run('/tmp/bench/coremark')).output.split(' ').map(Number);
        return instructions / 1e6 / seconds;
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
        return [plainRow('interpreter-mips', CHROMIUM, Math.max(...rates), 'MIPS', count)];
    },
};
