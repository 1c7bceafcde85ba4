// Runs a WASI program whose translator compiles through us:
//   node test/wasm/support/run.mjs PROGRAM.wasm [ARG...]
// The current directory is the program's. MODULES=DIR keeps every emitted module there.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import v8 from 'node:v8';
import { WASI } from 'node:wasi';

// On by default from Node 22 on.
if (process.version < 'v22') v8.setFlagsFromString('--experimental-wasm-relaxed-simd');

const [program, ...args] = process.argv.slice(2);
const wasi = new WASI({
    version: 'preview1',
    env: process.env,
    args: [program, ...args],
    preopens: { '.': '.' },
    returnOnExit: true,
});
let x;
let emitted = 0;
const jit = {
    install(at, length) {
        const code = new Uint8Array(x.memory.buffer, at, length).slice();
        if (process.env.MODULES) writeFileSync(path.join(process.env.MODULES, `${emitted++}.wasm`), code);
        try {
            const e = { m: x.memory, t: x.__indirect_function_table };
            new WebAssembly.Instance(new WebAssembly.Module(code), { e });
            return 1;
        } catch (error) {
            console.log(`a module was refused: ${error}`);
            return 0;
        }
    },
    grow: (n, from) => x.__indirect_function_table.grow(n, x.__indirect_function_table.get(from)),
    set: (slot, from) => x.__indirect_function_table.set(slot, x.__indirect_function_table.get(from)),
};
const module = await WebAssembly.compile(readFileSync(program));
const imports = { ...wasi.getImportObject(), jit };
const instance = await WebAssembly.instantiate(module, imports);
x = instance.exports;
process.exitCode = wasi.start(instance);
