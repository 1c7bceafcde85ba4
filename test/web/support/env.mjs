// Paths of what was built, and a Worker of Node dressed as a browser's.
import fs from 'node:fs';
import http from 'node:http';
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
// A port that posts to itself keeps Node's event loop from all else for 1000 messages; a browser's does not.
scope.MessageChannel = class {
  constructor() {
    const port = (this.port1 = { onmessage: null, close() {} });
    this.port2 = { postMessage: (data) => setImmediate(() => port.onmessage?.({ data })), close() {} };
  }
};
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

/** Serves a folder over http on loopback. */
export async function serveFolder(folder) {
  const requests = [];
  const server = http.createServer((req, res) => {
    const file = path.join(folder, path.normalize(decodeURIComponent(new URL(req.url, 'http://x').pathname)));
    requests.push(req.url);
    const stream = fs.createReadStream(file);
    stream.on('error', () => {
      res.statusCode = 404;
      res.end();
    });
    stream.pipe(res);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    requests,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
