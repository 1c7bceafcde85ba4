// Paths of what was built, and a Worker of Node dressed as a browser's.
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { Worker } from 'node:worker_threads';

export const root = path.dirname(path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url)))));
export const built = (...p) => path.join(root, 'build', ...p);
export const internals = await import(built('wasm', 'test', 'internals.mjs'));

const PRELUDE = `
const { parentPort } = require('node:worker_threads');
const scope = globalThis;
scope.self = scope;
scope.postMessage = (message, transfer) => parentPort.postMessage(message, transfer);
parentPort.on('message', (data) => scope.onmessage({ data }));
`;

/** Starts the shipped worker.js in a Node thread; `source` is its text. */
export function nodeWorker(source) {
  const worker = new Worker(`${PRELUDE}\n${source}`, { eval: true });
  const like = {
    onmessage: null,
    onerror: null,
    postMessage: (message, transfer) => worker.postMessage(message, transfer),
    terminate: () => void worker.terminate(),
  };
  worker.on('message', (data) => like.onmessage?.({ data }));
  worker.on('error', (error) => like.onerror?.(error));
  return like;
}
