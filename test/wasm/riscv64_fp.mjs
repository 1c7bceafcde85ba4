// Floating-point helpers of the riscv64 guest give the same in wasm as natively.
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const bin = `${process.env.BUILD ?? 'build'}/test/bin`;
const run = `
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';
const wasi = new WASI({ version: 'preview1', returnOnExit: true });
const module = await WebAssembly.compile(readFileSync('${bin}/riscv64_fp.wasm'));
process.exitCode = wasi.start(await WebAssembly.instantiate(module, wasi.getImportObject()));`;

test('floating point is the same natively and in wasm', () => {
    const native = execFileSync(`${bin}/riscv64_fp`, { encoding: 'utf8' });
    const args = ['--no-warnings', '--input-type=module', '-e', run];
    const wasm = execFileSync(process.execPath, args, { encoding: 'utf8' });
    assert.ok(native.split('\n').length > 30, 'every helper prints a line');
    assert.strictEqual(wasm, native);
});
