// Random IR in the evaluator, the interpreter and the translator to WebAssembly: the same states.
import assert from 'node:assert';
import { test } from 'node:test';
import { runWasi } from './support/wasi.mjs';

test('evaluator, interpreter and translator agree in wasm', () => {
    assert.match(runWasi('engines.wasm'), /^[1-9][0-9]* passed, 0 failed$/m);
});
