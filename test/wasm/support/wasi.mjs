// Starts WASI test programs in processes of their own.
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const build = process.env.BUILD ?? 'build';

// The program's output; a failure's output is the assertion's message. One that hangs is ended: what it said it was at is
// in the message.
const LIMIT_MS = 500_000;
export function runWasi(program, ...args) {
    const node = ['--no-warnings', path.join(here, 'run.mjs'), `${build}/test/bin/${program}`, ...args.map(String)];
    try {
        return execFileSync(process.execPath, node, {
            encoding: 'utf8',
            maxBuffer: 1 << 26,
            timeout: LIMIT_MS,
            stdio: 'pipe',
        });
    } catch (error) {
        return assert.fail(`${error.code ?? ''}\n${error.stdout}\n${error.stderr}`.slice(-20000));
    }
}
