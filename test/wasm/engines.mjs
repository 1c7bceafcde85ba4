// Random IR in the evaluator, the interpreter and the translator to WebAssembly: the same states.
import assert from 'node:assert';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const file = `${process.env.BUILD ?? 'build'}/test/bin/engines.wasm`;
const run = `
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';
const wasi = new WASI({ version: 'preview1', env: process.env, returnOnExit: true });
let x;
const jit = {
  install(at, length, slot) {
    const code = new Uint8Array(x.memory.buffer, at, length).slice();
    const module = new WebAssembly.Module(code);
    const e = { m: x.memory, t: x.__indirect_function_table };
    x.__indirect_function_table.set(slot, new WebAssembly.Instance(module, { e }).exports.f);
    return 1;
  },
  grow: (n) => x.__indirect_function_table.grow(n),
  remove: (slot) => x.__indirect_function_table.set(slot, null),
};
const module = await WebAssembly.compile(readFileSync('${file}'));
const instance = await WebAssembly.instantiate(module, { ...wasi.getImportObject(), jit });
x = instance.exports;
process.exitCode = wasi.start(instance);`;

test('evaluator, interpreter and translator agree in wasm', () => {
    const args = ['--no-warnings', '--input-type=module', '-e', run];
    let out;
    try {
        out = execFileSync(process.execPath, args, { encoding: 'utf8' });
    } catch (error) {
        assert.fail(`${error.stdout}\n${error.stderr}`.slice(-6000));
    }
    assert.match(out, /^5 passed, 0 failed$/m);
});
