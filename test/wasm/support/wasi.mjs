// Starts WASI test programs in processes of their own.
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
export const build = process.env.BUILD ?? 'build';

// The program's output; a failure's output is the assertion's message.
export function runWasi(program, ...args) {
    const node = ['--no-warnings', path.join(here, 'run.mjs'), `${build}/test/bin/${program}`, ...args];
    try {
        return execFileSync(process.execPath, node, { encoding: 'utf8', maxBuffer: 1 << 26 });
    } catch (error) {
        return assert.fail(`${error.stdout}\n${error.stderr}`.slice(-20000));
    }
}
