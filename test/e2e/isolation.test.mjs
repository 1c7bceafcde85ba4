// The same with cross-origin isolation, which some sites turn on: a short session.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ok, startContainer, waitForNoTerminal, waitForNoWorker } from './container.mjs';
import { Session, until } from './driver.mjs';

describe('with ?vscode-coi=on', () => {
    let s;
    before(async () => {
        s = await Session.open('isolation', { coi: true });
        await s.extensionHost();
        assert.equal(s.workerCount(), 0);
    });
    after(() => s?.close());

    test('the page is isolated', async () => {
        assert.equal(await s.page.evaluate(() => globalThis.crossOriginIsolated), true);
    });

    test('the container runs', async () => {
        await startContainer(s);
        assert.equal(await ok(s, 'uname -m'), 'x86_64');
        assert.equal(await ok(s, 'gcc /workspace/hello.c -o /tmp/hello && /tmp/hello', 300_000), 'Hello from a container in your browser');
        await s.shot('gcc');
    });

    test('the workspace works', async () => {
        await ok(s, 'echo isolated > /workspace/iso.txt');
        await until('the file in the workspace', async () => (await s.workspace('read', '/demo/iso.txt')) === 'isolated\n');
    });

    test('closing the terminal frees the worker', async () => {
        await s.command('Terminal: Kill the Active Terminal Instance');
        await waitForNoTerminal(s);
        await waitForNoWorker(s);
    });
});
