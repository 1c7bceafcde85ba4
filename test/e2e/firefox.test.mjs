// The plain demo page in Firefox, with the translator and interpreted only: boot, a compiler, the exit status.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startBed } from '../vscode-bed/server.mjs';
import { until } from './driver.mjs';
import { Firefox } from './firefox.mjs';

for (const engine of ['jit', 'interp'])
    describe(`the demo page in Firefox, engine ${engine}`, () => {
        let bed, f;
        before(async () => {
            bed = await startBed({});
            f = await Firefox.open(`firefox-${engine}`);
        });
        after(async () => {
            await f?.close();
            await bed?.close();
        });

        const text = () => f.evaluate(`return [...document.querySelectorAll('#terminal .xterm-rows > div')].map((d) => d.textContent.trimEnd()).join('\\n')`);
        const status = () => f.evaluate(`return document.querySelector('#status').textContent`);
        const waitFor = async (what, pattern, timeout = 120_000) => {
            let last = '';
            await until(what, async () => pattern.test((last = await text())), timeout).catch(async (e) => {
                await f.shot('missing').catch(() => undefined);
                throw new Error(`${e.message}\n--- the terminal shows:\n${last}\n--- ${await status()}`);
            });
        };

        test('it boots to a prompt', async () => {
            await f.goto(`${bed.demoPage}/?engine=${engine}&image=${encodeURIComponent(bed.image)}`);
            await waitFor('a prompt', /[#$]\s*$/, 300_000);
        });

        test('commands run', async () => {
            await f.type('uname -m\n');
            await waitFor('uname', /^x86_64$/m);
            await f.type('gcc /workspace/hello.c -o /tmp/hello && /tmp/hello\n');
            await waitFor('the program', /^Hello from inside the tab$/m, 240_000);
            await f.shot('gcc');
        });

        test('a loop runs long enough to be translated', async () => {
            await f.type('clear; i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done; echo counted $i\n');
            await waitFor('the loop', /^counted 30000$/m);
            const { engine: figures } = await f.evaluate(`return window.berth.getStats()`);
            assert.equal(figures.regions > 0, engine === 'jit', JSON.stringify(figures));
        });

        test('the exit status is shown', async () => {
            await f.type('exit 3\n');
            await waitFor('the message', /process exited with status 3/);
            await until('the page to say so', async () => /Stopped/.test(await status()));
        });
    });
