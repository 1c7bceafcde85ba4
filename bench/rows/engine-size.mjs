// engine-size: bytes of the engine as it is shipped, and as a server sends it with gzip.
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { built } from '../lib/paths.mjs';
import { plainRow } from '../lib/stats.mjs';

export default {
    names: ['engine-size'],
    rounds: 1,
    async run() {
        const wasm = readFileSync(built('wasm/berth.wasm'));
        return [
            plainRow('engine-size', 'wasm', wasm.length, 'bytes'),
            plainRow('engine-size-gzip', 'wasm', gzipSync(wasm, { level: 9 }).length, 'bytes'),
        ];
    },
};
