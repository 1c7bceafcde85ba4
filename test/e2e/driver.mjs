// Drives Chromium for the end-to-end tests: a BrowserPage is a window, a Session one with VS Code in it.
//
// The terminal is read from xterm's DOM renderer (the settings below switch the canvas off), so what a
// test sees is what a person sees, the visible screen only.
import { createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from '../../build/vscode-bed/node_modules/playwright-core/index.mjs';
import { startBed } from '../vscode-bed/server.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const top = path.resolve(here, '../..');
export const screenshots = path.join(top, 'build/screenshots');

const SETTINGS = {
    'terminal.integrated.gpuAcceleration': 'off', // DOM renderer: rows are text in the page
    'terminal.integrated.enableMultiLinePasteWarning': 'never',
    'terminal.integrated.smoothScrolling': false,
    'terminal.integrated.cursorBlinking': false,
    'files.autoSave': 'off',
    'explorer.confirmDelete': false,
    'editor.accessibilitySupport': 'off',
};

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Waits until probe() gives something other than undefined, null or false, and returns that.
export async function until(what, probe, timeout = 30_000) {
    const end = Date.now() + timeout;
    let problem;
    for (;;) {
        try {
            const value = await probe();
            if (value !== undefined && value !== null && value !== false) return value;
            problem = undefined;
        } catch (e) {
            problem = e;
        }
        if (Date.now() > end) {
            throw new Error(`waited ${timeout / 1000} s for ${what}` + (problem ? `: ${problem.message}` : ''));
        }
        await sleep(100);
    }
}

// A browser window and what it is served from.
export class BrowserPage {
    static async open(name, { bed = {} } = {}) {
        const s = new this();
        s.name = name;
        s.log = [];
        s.outside = new Set();
        mkdirSync(screenshots, { recursive: true });
        mkdirSync(path.join(top, 'build/test'), { recursive: true });
        s.bed = await startBed(bed);
        s.url = s.bed.demoPage;
        s.images = s.bed.images;
        s.profile = mkdtempSync(path.join(os.tmpdir(), 'berth-e2e-'));
        s.context = await chromium.launchPersistentContext(s.profile, {
            executablePath: path.join(here, 'chromium.sh'),
            headless: true,
            chromiumSandbox: false, // tests run as root in containers too
            viewport: { width: 1280, height: 800 },
            args: ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
        });
        s.page = s.context.pages()[0] ?? (await s.context.newPage());
        s.record();
        return s;
    }

    record() {
        const out = createWriteStream(path.join(top, 'build/test', `e2e-${this.name}.console.log`));
        const note = (line) => {
            this.log.push(line);
            out.write(line + '\n');
        };
        this.page.on('console', (m) => note(`[${m.type()}] ${m.text()}`));
        this.page.on('pageerror', (e) => note(`[pageerror] ${e.stack ?? e}`));
        this.page.on('requestfailed', (r) => note(`[request failed] ${r.url()} ${r.failure()?.errorText}`));
        this.page.on('request', (r) => {
            const { protocol, hostname } = new URL(r.url());
            if (/^https?:$/.test(protocol) && !/(^|\.)localhost$|^127\.0\.0\.1$/.test(hostname)) this.outside.add(r.url());
        });
    }

    async close() {
        await this.context?.close();
        await this.bed.close();
        rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }

    shot(label) {
        return this.page.screenshot({ path: path.join(screenshots, `${this.name}-${label}.png`) });
    }
}

// VS Code on the demo workspace.
export class Session extends BrowserPage {
    static async open(name, { coi = false, settings = {}, bed = {} } = {}) {
        const s = await super.open(name, { bed });
        s.url = `${s.bed.url}/?settings=${encodeURIComponent(JSON.stringify({ ...SETTINGS, ...settings }))}${coi ? '&vscode-coi=on' : ''}`;
        try {
            await s.load();
        } catch (e) {
            await s.shot('did-not-load').catch(() => undefined);
            await s.close();
            throw e;
        }
        return s;
    }

    async load() {
        await this.page.goto(this.url, { waitUntil: 'commit' });
        await this.page.locator('.monaco-workbench .part.statusbar').waitFor({ timeout: 90_000 });
        // The workspace is read through our file system extension: the extension host is up.
        await this.file('hello.c').waitFor({ timeout: 90_000 });
    }

    // --- the workbench ---

    // Runs a command from the palette by its full title; returns when it was chosen.
    async command(title) {
        const input = this.page.locator('.quick-input-widget input.input');
        return until(`"${title}" in the command palette`, async () => {
            await this.page.keyboard.press('F1');
            await input.waitFor({ state: 'visible', timeout: 5_000 });
            await input.fill('>' + title);
            const row = this.page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first();
            try {
                await row.waitFor({ timeout: 3_000 });
            } catch (e) {
                await this.page.keyboard.press('Escape');
                throw e;
            }
            const now = Date.now();
            await row.click();
            return now;
        });
    }

    // Chooses a row of the quick pick that is open.
    async pick(text) {
        await this.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first().click({ timeout: 15_000 });
    }

    file(name) {
        return this.page.locator('.explorer-folders-view .monaco-list-row', { has: this.page.locator(`.label-name >> text="${name}"`) }).first();
    }

    async openFile(name) {
        await this.file(name).dblclick();
        await this.page.locator('.tabs-container .tab.active', { hasText: name }).waitFor({ timeout: 15_000 });
        const lines = this.page.locator('.editor-instance .view-lines').first();
        await lines.waitFor({ timeout: 15_000 });
        return lines;
    }

    // Text of the active editor as shown.
    async editorText() {
        const text = await this.page.locator('.editor-group-container.active .view-lines').first().evaluate((lines) =>
            [...lines.querySelectorAll('.view-line')]
                .sort((a, b) => parseFloat(a.style.top) - parseFloat(b.style.top))
                .map((l) => l.textContent)
                .join('\n'),
        );
        return text.replaceAll('\u00a0', ' ');
    }

    // Replaces the text of the active editor and saves it.
    async rewriteAndSave(text) {
        await this.page.locator('.editor-group-container.active .view-lines').first().click();
        await this.page.keyboard.press('Control+a');
        await this.page.keyboard.insertText(text);
        await this.page.keyboard.press('Control+s');
        await this.page.locator('.tabs-container .tab.active:not(.dirty)').waitFor({ timeout: 15_000 });
    }

    async notifications() {
        return this.page.locator('.notifications-toasts .notification-list-item').allInnerTexts();
    }

    async dismissNotifications() {
        await this.command('Notifications: Clear All Notifications');
    }

    // The worker that runs extensions.
    async extensionHost() {
        return until('the extension host worker', async () => {
            for (const w of this.page.workers()) {
                const found = await Promise.race([w.evaluate(() => typeof globalThis.demofs === 'object').catch(() => false), sleep(2_000)]);
                if (found) return w;
            }
            return undefined;
        });
    }

    // The demo file system from below: methods of globalThis.demofs in the extension host.
    async workspace(method, ...args) {
        const host = await this.extensionHost();
        return host.evaluate(([m, a]) => globalThis.demofs[m](...a), [method, args]);
    }

    // Workers that extensions have started: those of the extension host's origin, without itself. (The
    // workbench has others, of its own origin.)
    workerCount() {
        return this.page.workers().filter((w) => w.url().startsWith('blob:http://v--')).length - 1;
    }

    // --- the terminal ---

    terminal() {
        return this.page.locator('.terminal-wrapper.active');
    }

    // The visible screen, one string a line, without trailing blanks.
    async screen() {
        const rows = await this.terminal().locator('.xterm-rows > div').evaluateAll((divs) => divs.map((d) => d.textContent));
        const lines = rows.map((r) => r.replaceAll('\u00a0', ' ').trimEnd());
        while (lines.length > 0 && lines.at(-1) === '') lines.pop();
        return lines;
    }

    async text() {
        return (await this.screen()).join('\n');
    }

    async waitForText(pattern, timeout = 60_000) {
        let last = '';
        try {
            return await until(`${pattern} in the terminal`, async () => {
                last = await this.text();
                return pattern.exec(last);
            }, timeout);
        } catch (e) {
            await this.shot('missing').catch(() => undefined);
            throw new Error(`${e.message}\n--- the terminal shows:\n${last}`);
        }
    }

    async focusTerminal() {
        const input = this.terminal().locator('textarea.xterm-helper-textarea');
        // A palette that is closing may still take the focus back.
        await until('the terminal to have the focus', async () => {
            await input.focus();
            return input.evaluate((e) => e === document.activeElement);
        });
    }

    // Key by key, as a person does; what no key has (emoji) comes as from an input method.
    async type(text) {
        await this.focusTerminal();
        await this.page.keyboard.type(text);
    }

    async press(key) {
        await this.focusTerminal();
        await this.page.keyboard.press(key);
    }

    // Runs a shell command on a cleared screen and returns what it printed and its status. The output
    // must fit on the screen.
    async run(command, timeout = 120_000) {
        const id = (this.runs = (this.runs ?? 0) + 1);
        await this.type(`clear; ${command}; printf '=%s=%d\\n' ${id} $?`);
        await this.press('Enter');
        const m = await this.waitForText(new RegExp(`(^|\\n)([^]*?)=${id}=(\\d+)\\n`), timeout);
        return { output: m[2], status: Number(m[3]) };
    }
}
