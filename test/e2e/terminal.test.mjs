// A person's session in VS Code: run the command, work in the shell, leave. Without cross-origin
// isolation, as most sites are. The tests follow one another in one window.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { gridRows, ok, startContainer, startFromProfile, terminalCount, waitForNoTerminal, waitForPrompt, waitForNoWorker } from './container.mjs';
import { Session, sleep, until } from './driver.mjs';

describe('a container in a terminal', () => {
    let s;
    before(async () => {
        s = await Session.open('terminal');
        await s.extensionHost();
        assert.equal(s.workerCount(), 0);
    });
    after(() => s?.close());

    test('the command opens a terminal at once, shows progress and arrives at a shell', async (t) => {
        const { opened, ready, lines } = await startContainer(s);
        t.diagnostic(`terminal after ${opened} ms, prompt after ${ready} ms`);
        assert.ok(opened < 5_000, `the terminal took ${opened} ms to open`);
        const progress = lines.filter((l) => /\d+(\.\d+)? MB|\d+ %|\.\.\.$| done$/.test(l));
        assert.ok(progress.length >= 2, `progress was not shown, only:\n${lines.join('\n')}`);
        assert.ok(progress.some((l) => /\d MB/.test(l)), `no bytes were shown:\n${progress.join('\n')}`);
        assert.equal(await s.page.evaluate(() => typeof SharedArrayBuffer), 'undefined');
        assert.equal(s.workerCount(), 1);
        await s.shot('prompt');
    });

    test('uname says x86_64', async () => {
        assert.equal(await ok(s, 'uname -m'), 'x86_64');
        assert.equal(await ok(s, 'uname -s'), 'Linux');
    });

    test('it is Debian', async () => {
        assert.match(await ok(s, 'cat /etc/os-release'), /^ID=debian$/m);
    });

    test('ls -l /workspace lists the folder, with usable modes', async () => {
        const output = await ok(s, 'ls -l /workspace');
        assert.match(output, /^-rw.r..r.. .* README\.md$/m);
        assert.match(output, /^-rw.r..r.. .* hello\.c$/m);
        const size = (await s.workspace('stat', '/demo/hello.c')).size;
        assert.equal(await ok(s, 'stat -c %s /workspace/hello.c'), String(size));
        assert.equal(await ok(s, 'ls -A /workspace | wc -l'), String((await s.workspace('list', '/demo')).length));
    });

    test('gcc compiles a program that runs', async (t) => {
        const t0 = Date.now();
        assert.equal(await ok(s, 'gcc /workspace/hello.c -o /tmp/hello && /tmp/hello', 300_000), 'Hello from a container in your browser');
        t.diagnostic(`compiled and run after ${Date.now() - t0} ms`);
        await s.shot('gcc');
    });

    test('a file made in the guest appears in the explorer with its content', async () => {
        await ok(s, 'echo made in the guest > /workspace/guest.txt');
        await s.file('guest.txt').waitFor({ timeout: 30_000 });
        await s.openFile('guest.txt');
        await until('its content in the editor', async () => (await s.editorText()).startsWith('made in the guest'));
        await s.shot('guest-file');
    });

    test('a file edited and saved in VS Code is seen by the guest', async () => {
        await s.openFile('guest.txt');
        await s.rewriteAndSave('edited in VS Code, a longer text than before\n');
        await until('the new text in the guest', async () => (await ok(s, 'cat /workspace/guest.txt')) === 'edited in VS Code, a longer text than before');
        // And a new one.
        await s.workspace('write', '/demo/fresh.txt', 'fresh\n');
        await until('the new file in the guest', async () => (await s.run('cat /workspace/fresh.txt')).output === 'fresh\n');
    });

    test('rename onto an existing file', async () => {
        await ok(s, 'cd /workspace && echo new > from.txt && echo old > onto.txt && mv -f from.txt onto.txt && cd -');
        assert.equal(await ok(s, 'cat /workspace/onto.txt'), 'new');
        assert.equal((await s.run('test -e /workspace/from.txt')).status, 1);
        await until('the renamed file in the workspace', async () => (await s.workspace('read', '/demo/onto.txt')) === 'new\n');
        assert.equal(await s.workspace('exists', '/demo/from.txt'), false);
    });

    test('mkdir and rm', async () => {
        await ok(s, 'mkdir -p /workspace/dir/sub && echo x > /workspace/dir/sub/f');
        await until('the file in the workspace', () => s.workspace('exists', '/demo/dir/sub/f'));
        await s.file('dir').waitFor({ timeout: 20_000 });
        await ok(s, 'rm -r /workspace/dir');
        assert.equal((await s.run('ls /workspace/dir')).status, 2);
        await until('the folder to be gone from the workspace', async () => !(await s.workspace('exists', '/demo/dir')));
        assert.equal((await s.run('rmdir /workspace/dir')).status, 1);
    });

    test('chmod +x, and a script runs from /workspace', async () => {
        await ok(s, `printf '#!/bin/sh\\necho script ran with $1\\n' > /workspace/script.sh && chmod +x /workspace/script.sh`);
        assert.equal(await ok(s, '/workspace/script.sh argument'), 'script ran with argument');
        assert.equal(await ok(s, 'chmod 640 /workspace/script.sh; stat -c %a /workspace/script.sh'), '640');
    });

    test('symbolic links', async () => {
        await ok(s, 'ln -s hello.c /workspace/link.c');
        assert.equal(await ok(s, 'readlink /workspace/link.c'), 'hello.c');
        assert.equal(await ok(s, 'cmp /workspace/link.c /workspace/hello.c && echo same'), 'same');
        await ok(s, 'rm /workspace/link.c');
    });

    test('append', async () => {
        await ok(s, 'rm -f /workspace/log.txt; for i in 1 2 3; do echo line $i >> /workspace/log.txt; done');
        assert.equal(await ok(s, 'cat /workspace/log.txt'), 'line 1\nline 2\nline 3');
        await until('all three lines in the workspace', async () => (await s.workspace('read', '/demo/log.txt')) === 'line 1\nline 2\nline 3\n');
    });

    test('times set in the guest stay', async () => {
        await ok(s, 'touch -d 2001-02-03T04:05:06Z /workspace/log.txt');
        assert.equal(await ok(s, 'date -u -r /workspace/log.txt +%Y-%m-%dT%H:%M:%S'), '2001-02-03T04:05:06');
    });

    test('a file that vanishes while it is open does no harm', async () => {
        await s.workspace('write', '/demo/vanish.txt', 'soon gone\n');
        await until('the file in the guest', async () => (await s.run('exec 9</workspace/vanish.txt')).status === 0);
        await s.workspace('remove', '/demo/vanish.txt');
        // What it reads may be the old content or an error, but it comes back and the shell lives.
        const { output } = await s.run('cat <&9 | head -c 100; exec 9<&-; echo alive');
        assert.match(output, /alive/);
        await until('the file to be gone in the guest', async () => (await s.run('test -e /workspace/vanish.txt')).status === 1);
    });

    test('resizing the panel changes stty size', async () => {
        const [rows, cols] = (await ok(s, 'stty size')).split(' ').map(Number);
        assert.equal(rows, await gridRows(s));
        assert.ok(cols > 40);
        await s.command('View: Toggle Maximized Panel');
        await until('more rows', async () => (await gridRows(s)) > rows);
        await until('stty to follow', async () => Number((await ok(s, 'stty size')).split(' ')[0]) === (await gridRows(s)));
        await s.page.setViewportSize({ width: 900, height: 700 });
        await until('fewer columns', async () => Number((await ok(s, 'stty size')).split(' ')[1]) < cols);
        assert.equal(Number((await ok(s, 'stty size')).split(' ')[0]), await gridRows(s));
        await s.page.setViewportSize({ width: 1280, height: 800 });
        await s.command('View: Toggle Maximized Panel');
        await until('the size of before', async () => (await ok(s, 'stty size')) === `${rows} ${cols}`);
    });

    test('Ctrl-C interrupts sleep 100', async () => {
        await s.type('clear; sleep 100');
        await s.press('Enter');
        await sleep(2_000);
        const t0 = Date.now();
        await s.press('Control+c');
        await waitForPrompt(s, 20_000);
        assert.ok(Date.now() - t0 < 20_000);
        assert.equal((await s.run('true')).status, 0);
        await s.type('clear; sleep 100');
        await s.press('Enter');
        await sleep(2_000);
        await s.press('Control+c');
        await waitForPrompt(s, 20_000);
        await s.type('echo status-$?-');
        await s.press('Enter');
        await s.waitForText(/status-130-/);
    });

    test('UTF-8 both ways', async () => {
        assert.equal(await ok(s, "printf '%s\\n' 'Grüße, 世界 ☃ 🙂'"), 'Grüße, 世界 ☃ 🙂');
        assert.equal(await ok(s, "printf '%s' 'ü世🙂' | wc -c"), '9');
        // A character in two writes is one character.
        assert.equal(await ok(s, "printf '\\344\\270'; sleep 1; printf '\\226\\n'"), '世');
        await s.run("printf '%s\\n' 'Grüße, 世界 ☃ 🙂'");
        await s.shot('utf8');
    });

    test('more output than a screen arrives whole and in order', async () => {
        const sum = await ok(s, 'seq 1 20000 > /tmp/seq; sum < /tmp/seq; cat /tmp/seq > /dev/tty; clear; sum < /tmp/seq', 180_000);
        assert.match(sum, /^\d+/);
        await s.type('clear; seq 1 5000');
        await s.press('Enter');
        await until('the last number', async () => (await s.screen()).includes('5000'), 60_000);
        const lines = (await s.screen()).filter((l) => /^\d+$/.test(l)).map(Number);
        for (let i = 1; i < lines.length; i++) assert.equal(lines[i], lines[i - 1] + 1);
    });

    test('vi shows a file and leaves the screen as it was', async () => {
        await ok(s, 'command -v vi');
        await s.type('clear; TERM=xterm vi /workspace/hello.c');
        await s.press('Enter');
        await s.waitForText(/#include <stdio\.h>[^]*\n~\n[^]*hello\.c/, 60_000);
        await s.type('G');
        await s.type('o// written in vi');
        await s.press('Escape');
        await s.waitForText(/^}\n\/\/ written in vi$/m);
        await s.shot('vi');
        await s.type(':wq');
        await s.press('Enter');
        await waitForPrompt(s, 60_000);
        assert.equal(await ok(s, 'tail -n 1 /workspace/hello.c'), '// written in vi');
        await until('what vi wrote in the workspace', async () => (await s.workspace('read', '/demo/hello.c')).endsWith('// written in vi\n'));
    });

    test('less shows and moves', async () => {
        await ok(s, 'command -v less');
        await s.type('clear; seq 1 500 | less');
        await s.press('Enter');
        await s.waitForText(/^1\n2\n3\n[^]*\n:$/, 60_000);
        await s.type('G');
        await s.waitForText(/\n499\n500\n.*\(END\)/);
        await s.shot('less');
        await s.type('q');
        await waitForPrompt(s, 60_000);
    });

    test('a second terminal is a second shell of the same machine', async () => {
        await ok(s, 'echo shared > /tmp/shared');
        await startFromProfile(s);
        assert.equal(await ok(s, 'cat /tmp/shared'), 'shared');
        assert.equal(s.workerCount(), 1);
        await s.type('exit 0');
        await s.press('Enter');
        await until('one terminal to be left', async () => (await terminalCount(s)) === 1);
        assert.equal(await ok(s, 'cat /tmp/shared'), 'shared');
    });

    test('exit 3 ends the terminal and its status is reported', async () => {
        await s.dismissNotifications();
        await s.type('exit 3');
        await s.press('Enter');
        await until('the status in a notification', async () => /exit code: 3/.test((await s.notifications()).join('\n')));
        await s.shot('exit-3');
        await waitForNoTerminal(s);
    });

    test('the worker is freed after exit', async () => {
        await waitForNoWorker(s);
        await s.dismissNotifications();
    });

    test('a second run works, from the terminal profile', async () => {
        await startFromProfile(s);
        assert.equal(await ok(s, 'uname -m'), 'x86_64');
        assert.equal(await ok(s, 'cat /workspace/onto.txt'), 'new');
        assert.equal((await s.run('test -e /tmp/hello')).status, 1, 'the second container must be a fresh one');
    });

    test('closing the terminal stops the machine and frees its worker', async () => {
        assert.equal(s.workerCount(), 1);
        await s.command('Terminal: Kill the Active Terminal Instance');
        await waitForNoTerminal(s);
        await waitForNoWorker(s);
    });

    test('no request left the machine', () => {
        assert.deepEqual([...s.outside], []);
    });
});
