// The plain demo page (build/web): the same package without VS Code.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BrowserPage, until } from './driver.mjs';

describe('the demo page', () => {
    let s;
    before(async () => {
        s = await BrowserPage.open('page');
    });
    after(() => s?.close());

    const text = () => s.page.locator('#terminal .xterm-rows').evaluate((rows) => [...rows.children].map((d) => d.textContent.trimEnd()).join('\n'));
    const run = async (command, expected) => {
        await s.page.keyboard.type(command + '\n');
        await until(`${expected} from ${command}`, async () => expected.test(await text()), 120_000);
    };

    test('it starts an image that the address names', async () => {
        await s.page.goto(`${s.url}/?image=${encodeURIComponent(s.bed.image)}`);
        const seen = new Set();
        await until('a prompt', async () => {
            seen.add(await s.page.locator('#status').textContent());
            return /[#$] *$/.test((await text()).trimEnd());
        }, 300_000);
        assert.ok([...seen].some((l) => /\d MB/.test(l)), `no progress in bytes: ${[...seen].join('; ')}`);
        assert.equal(await s.page.evaluate(() => typeof SharedArrayBuffer), 'undefined');
    });

    test('commands run', async () => {
        await run('uname -m', /^x86_64$/m);
        await run('gcc /workspace/hello.c -o /tmp/hello && /tmp/hello', /^Hello from inside the tab$/m);
        await s.shot('gcc');
    });

    test('the terminal follows the window', async () => {
        await s.page.setViewportSize({ width: 640, height: 480 });
        const rows = () => s.page.locator('#terminal .xterm-rows > div').count();
        await until('fewer rows', async () => (await rows()) < 30);
        await run('clear; stty size', new RegExp(`^${await rows()} \\d+$`, 'm'));
    });

    test('the exit status is shown', async () => {
        await run('exit 3', /process exited with status 3/);
        await until('the page to say so', async () => /Stopped/.test(await s.page.locator('#status').textContent()));
        assert.deepEqual(s.page.workers(), []);
    });

    test('an image that is not there', async () => {
        await s.page.goto(`${s.url}/?image=${encodeURIComponent(`${s.images}/none`)}`);
        await until('the message', async () => /none\/.*404/s.test((await text()).replaceAll('\n', '') + (await s.page.locator('#status').textContent())), 60_000);
    });

    test('no request left the machine', () => assert.deepEqual([...s.outside], []));
});
