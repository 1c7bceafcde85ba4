// The other architecture in VS Code: a short session. All else is tested with the x86_64 image.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ok, startContainer, waitForNoTerminal, waitForNoWorker } from './container.mjs';
import { Session, until } from './driver.mjs';

describe('a riscv64 image', () => {
    let s;
    before(async () => {
        s = await Session.open('riscv64', { bed: { arch: 'riscv64' } });
        await s.extensionHost();
    });
    after(() => s?.close());

    test('it starts in a terminal', async () => {
        await startContainer(s);
        assert.equal(await ok(s, 'uname -m'), 'riscv64');
    });

    test('gcc compiles a program that runs', async () => {
        assert.equal(await ok(s, 'gcc -O2 /workspace/hello.c -o /tmp/hello && /tmp/hello', 300_000), 'Hello from a container in your browser');
        await s.shot('gcc');
    });

    test('the workspace works', async () => {
        await ok(s, 'echo riscv64 > /workspace/rv.txt');
        await until('the file in the workspace', async () => (await s.workspace('read', '/demo/rv.txt')) === 'riscv64\n');
    });

    test('exit 3 ends the terminal', async () => {
        await s.type('exit 3');
        await s.press('Enter');
        await until('the status in a notification', async () => /exit code: 3/.test((await s.notifications()).join('\n')));
        await waitForNoTerminal(s);
        await waitForNoWorker(s);
    });
});
