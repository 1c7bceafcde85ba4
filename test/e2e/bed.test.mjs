// The bed itself: the workbench works, its file system is a complete one, and nothing leaves the machine.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Session, until } from './driver.mjs';

const demofs = path.join(path.dirname(fileURLToPath(import.meta.url)), '../vscode-bed/demofs');

for (const coi of [false, true]) {
    describe(coi ? 'with cross-origin isolation' : 'without cross-origin isolation', () => {
        let s;
        before(async () => {
            s = await Session.open(`bed${coi ? '-coi' : ''}`, { coi, bed: { extensions: { demofs } } });
        });
        after(() => s?.close());

        test('isolation is what the page asked for, in the extension host too', async () => {
            const host = await s.extensionHost();
            assert.equal(await s.page.evaluate(() => globalThis.crossOriginIsolated), coi);
            assert.equal(await host.evaluate(() => globalThis.crossOriginIsolated), coi);
            assert.equal(await host.evaluate(() => typeof SharedArrayBuffer), coi ? 'function' : 'undefined');
        });

        test('the extension host has an origin of its own and upstream\'s policy', async () => {
            const host = await s.extensionHost();
            const origin = await host.evaluate(() => globalThis.origin);
            assert.match(origin, /^http:\/\/v--[a-z0-9]+\.localhost:/);
            const dataFetch = await host.evaluate(() => fetch('data:,x').then(() => 'allowed', () => 'refused'));
            assert.equal(dataFetch, 'refused');
        });

        test('a file opens in the editor', async () => {
            await s.openFile('hello.c');
            await until('hello.c in the editor', async () => (await s.editorText()).includes('Hello from a container'));
        });

        test('saving in the editor writes the file', async () => {
            await s.openFile('README.md');
            await s.rewriteAndSave('rewritten\n');
            assert.equal(await s.workspace('read', '/demo/README.md'), 'rewritten\n');
        });

        test('a file written below appears and changes in the editor', async () => {
            await s.workspace('write', '/demo/new.txt', 'one\n');
            await s.file('new.txt').waitFor({ timeout: 10_000 });
            await s.openFile('new.txt');
            await until('its first text', async () => (await s.editorText()).includes('one'));
            await s.workspace('write', '/demo/new.txt', 'two\n');
            await until('its second text', async () => (await s.editorText()).includes('two'));
            await s.workspace('remove', '/demo/new.txt');
            await s.file('new.txt').waitFor({ state: 'detached', timeout: 10_000 });
        });

        test('rename onto an existing file, times and errors', async () => {
            await s.workspace('write', '/demo/a', 'a');
            await s.workspace('write', '/demo/b', 'b');
            const before = await s.workspace('stat', '/demo/b');
            await s.workspace('rename', '/demo/a', '/demo/b');
            assert.equal(await s.workspace('read', '/demo/b'), 'a');
            assert.equal(await s.workspace('exists', '/demo/a'), false);
            await s.workspace('write', '/demo/b', 'bb');
            const after = await s.workspace('stat', '/demo/b');
            assert.ok(after.mtime > before.mtime);
            assert.equal(after.size, 2);
            await assert.rejects(s.workspace('read', '/demo/none'), /EntryNotFound/);
            await s.workspace('remove', '/demo/b');
        });

        test('no request left the machine', async () => {
            await s.shot('workbench');
            assert.deepEqual([...s.outside], []);
        });
    });
}
