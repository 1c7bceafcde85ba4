// Drives Firefox over Marionette, its own remote protocol: JSON messages with their length before them on a TCP
// connection. (Playwright needs a Firefox of its own build, or one newer than Debian's.) One window, one page.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { screenshots, until } from './driver.mjs';

const PREFERENCES = {
    'marionette.port': 0, // any free one, told in the profile
    'app.update.enabled': false,
    'browser.shell.checkDefaultBrowser': false,
    'browser.startup.homepage_override.mstone': 'ignore',
    'browser.startup.page': 0,
    'datareporting.policy.dataSubmissionEnabled': false,
    'network.captive-portal-service.enabled': false,
    'network.connectivity-service.enabled': false,
    'extensions.getAddons.cache.enabled': false,
    'services.settings.server': 'data:,#dummy',
    'toolkit.telemetry.reportingpolicy.firstRun': false,
    'dom.min_background_timeout_value': 4,
};

export class Firefox {
    static async open(name) {
        const f = new this();
        f.name = name;
        f.waiting = new Map();
        f.next = 1;
        f.profile = mkdtempSync(path.join(os.tmpdir(), 'berth-firefox-'));
        const lines = Object.entries(PREFERENCES).map(([k, v]) => `user_pref(${JSON.stringify(k)}, ${JSON.stringify(v)});\n`);
        writeFileSync(path.join(f.profile, 'user.js'), lines.join(''));
        const args = ['--headless', '--marionette', '--no-remote', '--width', '1280', '--height', '800', '--profile', f.profile];
        // Its home is the profile too: where the tests run there may be none that can be written.
        const env = { ...process.env, HOME: f.profile, MOZ_CRASHREPORTER_DISABLE: '1' };
        f.process = execFile(process.env.FIREFOX ?? '/usr/bin/firefox-esr', args, { env, maxBuffer: 1 << 26 });
        f.process.on('error', (e) => (f.problem = e));
        try {
            await f.connect();
            await f.send('WebDriver:NewSession', { capabilities: { alwaysMatch: { unhandledPromptBehavior: 'dismiss' } } });
            await f.send('WebDriver:SetTimeouts', { script: 60_000, pageLoad: 60_000 });
        } catch (e) {
            await f.close();
            throw e;
        }
        return f;
    }

    async connect() {
        const file = path.join(this.profile, 'MarionetteActivePort');
        const port = await until('Firefox to listen', () => {
            if (this.problem) throw this.problem;
            return Number(readFileSync(file, 'utf8'));
        }, 120_000);
        this.socket = net.connect(port, '127.0.0.1');
        let data = Buffer.alloc(0);
        this.socket.on('data', (part) => {
            data = Buffer.concat([data, part]);
            for (;;) {
                const colon = data.indexOf(58);
                const length = Number(data.subarray(0, Math.max(colon, 0)));
                if (colon < 0 || data.length < colon + 1 + length) return;
                this.receive(JSON.parse(data.subarray(colon + 1, colon + 1 + length)));
                data = data.subarray(colon + 1 + length);
            }
        });
        const lost = (e) => {
            for (const w of this.waiting.values()) w.reject(e ?? new Error('Firefox is gone'));
            this.waiting.clear();
        };
        this.socket.on('error', lost);
        this.socket.on('close', () => lost());
        await new Promise((resolve, reject) => this.socket.once('connect', resolve).once('error', reject));
    }

    receive(message) {
        if (!Array.isArray(message)) return; // the greeting
        const [, id, error, result] = message;
        const w = this.waiting.get(id);
        this.waiting.delete(id);
        if (error) w?.reject(new Error(`${error.error}: ${error.message}`));
        else w?.resolve(result);
    }

    send(command, parameters = {}) {
        const id = this.next++;
        const text = Buffer.from(JSON.stringify([0, id, command, parameters]));
        return new Promise((resolve, reject) => {
            this.waiting.set(id, { resolve, reject });
            this.socket.write(`${text.length}:`);
            this.socket.write(text);
        });
    }

    goto(url) {
        return this.send('WebDriver:Navigate', { url });
    }

    // The value of a function body in the page.
    async evaluate(script, ...args) {
        return (await this.send('WebDriver:ExecuteScript', { script, args })).value;
    }

    // Key by key into what has the focus. Enter is \n.
    type(text) {
        const actions = [...text.replaceAll('\n', '\ue007')].flatMap((value) => [
            { type: 'keyDown', value },
            { type: 'keyUp', value },
        ]);
        return this.send('WebDriver:PerformActions', { actions: [{ type: 'key', id: 'keys', actions }] });
    }

    async shot(label) {
        mkdirSync(screenshots, { recursive: true });
        const { value } = await this.send('WebDriver:TakeScreenshot', { full: false });
        writeFileSync(path.join(screenshots, `${this.name}-${label}.png`), Buffer.from(value, 'base64'));
    }

    async close() {
        const ended = new Promise((resolve) => (this.process.exitCode !== null ? resolve() : this.process.once('exit', resolve)));
        if (this.socket) await this.send('Marionette:Quit', { flags: ['eForceQuit'] }).catch(() => undefined);
        const timer = setTimeout(() => this.process.kill('SIGKILL'), 10_000);
        await ended;
        clearTimeout(timer);
        this.socket?.destroy();
        rmSync(this.profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    }
}
