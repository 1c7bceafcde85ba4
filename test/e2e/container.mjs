// Steps that tests of running containers share.
import assert from 'node:assert/strict';
import { until } from './driver.mjs';

export const BOOT_TIMEOUT = 300_000;
const PROMPT = /[#$]\s*$/;

export async function terminalCount(s) {
    return s.page.locator('.terminal-wrapper').count();
}

// Waits for the shell's prompt; returns all lines seen on the way (each once).
export async function waitForPrompt(s, timeout = BOOT_TIMEOUT) {
    const seen = new Set();
    await until('the prompt of the shell', async () => {
        const lines = await s.screen();
        for (const l of lines) seen.add(l);
        return PROMPT.test(lines.at(-1) ?? '') || /Press any key/.test(lines.join('\n'));
    }, timeout).catch(async (e) => {
        await s.shot('no-prompt').catch(() => undefined);
        throw new Error(`${e.message}\n--- the terminal shows:\n${await s.text().catch(() => '(nothing)')}`);
    });
    const lines = await s.screen();
    assert.match(lines.at(-1) ?? '', PROMPT, `no prompt but:\n${lines.join('\n')}`);
    return [...seen];
}

// Runs the command of the extension and waits until the terminal has reached a prompt.
export async function startContainer(s) {
    const t0 = await s.command('Run Container On Browser');
    await s.terminal().waitFor({ timeout: 10_000 });
    const opened = Date.now() - t0;
    const lines = await waitForPrompt(s);
    return { opened, ready: Date.now() - t0, lines };
}

export async function startFromProfile(s) {
    const before = await terminalCount(s);
    await s.command('Create New Terminal (With Profile)');
    await s.pick('Container (Browser)');
    await until('the new terminal', async () => (await terminalCount(s)) > before);
    await s.terminal().waitFor({ timeout: 10_000 });
    return waitForPrompt(s);
}

// Runs a command that must succeed; its output without the last newline.
export async function ok(s, command, timeout) {
    const { output, status } = await s.run(command, timeout);
    assert.equal(status, 0, `${command} exited with ${status}:\n${output}`);
    return output.replace(/\n$/, '');
}

// The size that xterm shows, in characters.
export async function gridRows(s) {
    return s.terminal().locator('.xterm-rows > div').count();
}

export async function waitForNoWorker(s, timeout = 20_000) {
    await until('the worker of the container to be gone', () => s.workerCount() === 0, timeout);
}

export async function waitForNoTerminal(s, timeout = 20_000) {
    await until('the terminal to close', async () => (await terminalCount(s)) === 0, timeout);
}
