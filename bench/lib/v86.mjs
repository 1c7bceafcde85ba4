// v86, the second peer of x86_64, in a tab of the browser that ours runs in.
import { cpuOfAll } from './cpu.mjs';
import { MEMORY_MB } from './paths.mjs';

export const V86 = 'v86';
const memory = MEMORY_MB * 1024 * 1024;

export class V86Guest {
    static async start(browser) {
        const g = new V86Guest();
        g.browser = browser;
        g.page = await browser.page('v86.html');
        await g.page.evaluate((w) => globalThis.bench.start(w), { memory });
        return g;
    }

    run(command) {
        return this.page.evaluate((c) => globalThis.bench.run(c), command);
    }

    cpu() {
        return cpuOfAll(this.browser.profile);
    }

    async close() {
        await this.page.evaluate(() => globalThis.bench.stop());
        await this.page.close();
    }
}

/** Seconds from the machine's start until `mark` is on its console. */
export async function bootInV86(browser, mark) {
    const page = await browser.page('v86.html');
    try {
        return await page.evaluate(([w, m]) => globalThis.bench.boot(w, m), [{ memory }, mark]);
    } finally {
        await page.close();
    }
}
