// Ours in Chromium: a page of this repository served on loopback, one worker with the shipped engine.
import { createReadStream, mkdtempSync, rmSync } from 'node:fs';
import fs from 'node:fs/promises';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { cpuOfAll, rendererMemory } from './cpu.mjs';
import { ARCH, built, imageInBrowser, MEMORY_MB, programsOf, top } from './paths.mjs';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

async function serve() {
    const server = http.createServer((req, res) => {
        const file = path.join(top, path.normalize(decodeURIComponent(new URL(req.url, 'http://x').pathname)));
        const allowed = ['bench', 'build'].some((d) => file.startsWith(path.join(top, d) + path.sep));
        const stream = createReadStream(allowed ? file : '');
        stream.on('open', () => res.writeHead(200, { 'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream' }));
        stream.on('error', () => res.writeHead(404).end());
        stream.pipe(res);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const close = () => {
        server.closeAllConnections();
        server.close();
    };
    return { url: `http://localhost:${server.address().port}`, close };
}

export const newProfile = () => mkdtempSync(path.join(os.tmpdir(), 'berth-bench-'));
export const removeProfile = (profile) => rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });

export class Browser {
    /** One after another may have the same profile and with it what the engine keeps on the browser's disk. */
    static async launch(profile) {
        const b = new Browser();
        // Installed with the VS Code bed, by npm.
        const { chromium } = await import(pathToFileURL(built('vscode-bed/node_modules/playwright-core/index.mjs')));
        b.server = await serve();
        b.ownProfile = profile === undefined;
        b.profile = profile ?? newProfile();
        b.context = await chromium.launchPersistentContext(b.profile, {
            executablePath: path.join(top, 'test/e2e/chromium.sh'),
            headless: true,
            chromiumSandbox: false, // may run as root in a container
            args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
        });
        return b;
    }

    async page(file = 'index.html') {
        const page = await this.context.newPage();
        const log = [];
        page.on('console', (m) => log.push(m.text()));
        page.on('pageerror', (e) => log.push(String(e)));
        await page.goto(`${this.server.url}/bench/page/${file}`);
        await page.waitForFunction(() => globalThis.bench !== undefined, undefined, { timeout: 30_000 }).catch((e) => {
            throw new Error(`the page of the measurements did not start: ${log.join('\n') || e.message}`);
        });
        return page;
    }

    async close() {
        await this.context.close();
        this.server.close();
        if (this.ownProfile) removeProfile(this.profile);
    }
}

const what = (image, more) => ({ arch: ARCH, memory: MEMORY_MB * 1024 * 1024, image: `/${path.relative(top, imageInBrowser(image))}`, ...more });

export class ChromiumGuest {
    /**
     * engine: 'interp' or 'jit', or the package's default. Only the named programs are at /bench, those of
     * programArch, which is the guest's or one that it can run.
     */
    static async start(browser, image, { engine, programs: names, programArch = ARCH } = {}) {
        const g = new ChromiumGuest();
        g.browser = browser;
        g.page = await browser.page();
        const all = await fs.readdir(programsOf(programArch)).catch(() => []);
        await g.page.evaluate((w) => globalThis.bench.start(w), what(image, { programs: names ?? all, programArch, engine }));
        return g;
    }

    run(command) {
        return this.page.evaluate((c) => globalThis.bench.run(c), command);
    }

    /** Guest instructions executed since the start. */
    async instructions() {
        return (await this.page.evaluate(() => globalThis.bench.stats())).instructions;
    }

    // Of the whole browser, so with what its compilers take on other threads.
    cpu() {
        return cpuOfAll(this.browser.profile);
    }

    memory() {
        return rendererMemory(this.browser.profile);
    }

    async close() {
        await this.page.evaluate(() => globalThis.bench.stop());
        await this.page.close();
    }
}

/** Seconds from the machine's start until `mark` is on its console. */
export async function bootInChromium(browser, initrd, mark, engine) {
    const page = await browser.page();
    try {
        return await page.evaluate(([w, m]) => globalThis.bench.boot(w, m), [what('scratch-test', { initrd, engine }), mark]);
    } finally {
        await page.close();
    }
}
