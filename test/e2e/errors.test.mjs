// Bad input: each case ends in a message that names the thing and says what to do, in the terminal and
// as a notification; the terminal then closes on a key and nothing is left running.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import path from 'node:path';
import { ok, startContainer, waitForNoTerminal, waitForNoWorker } from './container.mjs';
import { Session, sleep, until } from './driver.mjs';
import { makeLayout, serveSites } from './layouts.mjs';

const HTML = { type: 'text/html', body: '<!DOCTYPE html><html><body>Not what you wanted</body></html>' };

const good = makeLayout();
const s390x = makeLayout({ architecture: 's390x' });
const from = (layout) => (p) => layout.files.get(p);
// The good layout with its layer answered otherwise.
const layerInstead = (answer) => (p) => (p.endsWith(good.digests.layer) ? answer(good.files.get(p)) : good.files.get(p));

const SITES = {
    nothing: () => undefined,
    html: () => HTML,
    noblob: layerInstead(() => undefined),
    htmlblob: layerInstead(() => HTML),
    truncated: layerInstead((data) => data.subarray(0, data.length - 20)),
    corrupt: layerInstead((data) => {
        const copy = Buffer.from(data);
        copy[copy.length - 10] ^= 1;
        return copy;
    }),
    s390x: from(s390x),
    nocors: (p) => ({ body: good.files.get(p) ?? 'no', cors: false }),
    badjson: (p) => (p === 'index.json' ? Buffer.from('{"manifests": [') : good.files.get(p)),
};

// name: what the message must contain
const CASES = [
    ['nothing', 'an address with nothing there', [/nothing\/(index\.json|oci-layout)/, /404/]],
    ['html', 'HTML instead of an image', [/html\/(index\.json|oci-layout)/, /(OCI|image) layout|JSON|HTML/i]],
    ['badjson', 'an index that is cut off', [/\/badjson/, /index\.json/, /JSON/i]],
    ['noblob', 'a layer that is missing', [new RegExp(good.digests.layer.slice(0, 12)), /404/]],
    ['htmlblob', 'HTML instead of a layer', [new RegExp(good.digests.layer.slice(0, 12)), /digest|bytes|size|HTML/i]],
    ['truncated', 'a layer that is cut off', [new RegExp(good.digests.layer.slice(0, 12)), /digest|bytes|size|truncated|short/i]],
    ['corrupt', 'a layer with a wrong digest', [new RegExp(good.digests.layer.slice(0, 12)), /digest|sha256/i]],
    ['s390x', 'an image for another architecture', [/\/s390x/, /linux\/riscv64 or linux\/amd64/]],
    ['nocors', 'a server without CORS', [/nocors/, /CORS|Access-Control-Allow-Origin/]],
];

describe('bad input', () => {
    let s;
    let server;
    before(async () => {
        server = await serveSites(SITES);
        s = await Session.open('errors');
        await s.extensionHost();
    });
    after(async () => {
        await s?.close();
        await server?.close();
    });

    async function setImage(image, more = {}) {
        await s.workspace('write', '/demo/.vscode/settings.json', JSON.stringify({ 'container.containerImage': image, ...more }));
        await sleep(2_000); // VS Code notices by its watcher
    }

    // Runs the command, which must fail; the message as the terminal shows it, on one line.
    async function failure() {
        await s.command('Run Container On Browser');
        await s.terminal().waitFor({ timeout: 15_000 });
        await s.waitForText(/Press any key/, 60_000);
        // What the terminal wrapped is one line again; a break may also have eaten a blank.
        const shown = (await s.screen()).join('');
        const notice = await until('a notification', async () => (await s.notifications()).join('\n'));
        return `${notice}\n${shown}`;
    }

    async function closeByKey() {
        await s.press('x');
        await waitForNoTerminal(s);
        await waitForNoWorker(s);
        await s.dismissNotifications();
    }

    for (const [site, title, patterns] of CASES) {
        test(title, async (t) => {
            await setImage(server.url(site));
            const message = await failure();
            t.diagnostic(message);
            await s.shot(site);
            for (const p of patterns) assert.match(message, p);
            await closeByKey();
        });
    }

    test('a server that is not there', async () => {
        const gone = await serveSites({});
        const url = gone.url('x');
        await gone.close();
        await setImage(url);
        const message = await failure();
        assert.match(message, new RegExp(url.replaceAll('/', '\\/')));
        await closeByKey();
    });

    test('no image set', async () => {
        await setImage('');
        assert.match(await failure(), /container\.containerImage/);
        await closeByKey();
    });

    test('a registry reference', async () => {
        await setImage('localhost:5000/ubuntu:22.04');
        assert.match(await failure(), /localhost:5000\/ubuntu:22\.04.*OCI image layout/s);
        await closeByKey();
    });

    test('the editor\'s files are as they were', async () => {
        const original = await readFile(path.join(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), 'workspace/hello.c'), 'utf8');
        assert.equal(await s.workspace('read', '/demo/hello.c'), original);
    });

    test('guest memory runs out: the program dies, the shell lives', async () => {
        await setImage(s.bed.image, { 'container.memory': 192 });
        await startContainer(s);
        const { status } = await s.run('head -c 1500M /dev/zero | tail > /dev/null', 240_000);
        assert.notEqual(status, 0);
        assert.equal(await ok(s, 'echo alive'), 'alive');
    });

    test('a kernel panic is told and ends the container', async (t) => {
        await s.type('clear; echo 2 > /proc/sys/vm/panic_on_oom; head -c 1500M /dev/zero | tail');
        await s.press('Enter');
        await s.waitForText(/Press any key/, 240_000);
        await s.shot('panic');
        const notice = await until('a notification', async () => (await s.notifications()).join('\n'));
        t.diagnostic(notice);
        assert.match(notice, /panic|ran out of memory/i);
        await closeByKey();
    });
});
