// Runs an image in Node through the shipped worker, with the terminal on stdin and stdout:
//   node test/web/support/run.mjs IMAGE_DIR [--wasm FILE] [--shell] [ARG...]
import fs from 'node:fs';
import { built, internals, nodeWorker, serveFolder } from './env.mjs';

const args = process.argv.slice(2);
const image = args.shift();
const wasm = args[0] === '--wasm' ? args.splice(0, 2)[1] : built('wasm/berth.wasm');
const server = await serveFolder(image);
const workspace = new internals.MemoryFs();
await workspace.writeFile('hello.txt', new TextEncoder().encode('hello from the page\n'));

const begin = performance.now();
const note = (text) => console.error(`[${((performance.now() - begin) / 1000).toFixed(2)}] ${text}`);
const decoder = new TextDecoder();
const container = internals.startContainer({
  worker: () => nodeWorker(fs.readFileSync(built('wasm/package/worker.js'), 'utf8')),
  wasm: fs.readFileSync(wasm),
  kernel: fs.readFileSync(built('guest/riscv64/Image')),
  initrd: fs.readFileSync(built('guest/riscv64/initramfs.cpio')),
  image: { url: server.url },
  volumes: process.env.NOVOLUME ? [] : [{ guest: '/workspace', fs: workspace }],
  ...(process.env.ENGINE && { engine: process.env.ENGINE }),
  process: { ...(args.length > 0 && { args }), cols: 80, rows: 24, env: { TERM: 'xterm' } },
  onProgress: (p) => p.done && note(internals.formatProgress(p)),
  onLog: (level, text) => note(`${level}: ${text}`),
  onConsole: (data) => process.env.CONSOLE && process.stderr.write(decoder.decode(data)),
  onMessage: (text) => note(text),
});
container.main.onData((data) => void process.stdout.write(data));
container.main.onMessage((text) => note(text));
process.stdin.on('data', (data) => container.main.write(data));
const status = await container.main.exited;
note(`exited with ${status}`);
const stopped = await container.stopped;
note(`stopped: ${stopped.reason} ${stopped.message}`);
server.close();
process.exit(status ?? 1);
