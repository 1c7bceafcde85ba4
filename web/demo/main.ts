// The demo page: a terminal on a container whose image the page's address names.
//   ?image=URL   base URL of an OCI image layout (default: image/ beside the page)
//   ?memory=MB   RAM of the virtual machine
//   ?engine=jit  hot guest code translated to WebAssembly; interp: interpreted only; eval: the slow reference
//   ?no=PASSES, ?torture=NAMES   for finding bugs (src/exec/switches.def); berth.getStats() in the console has figures
import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import {
  fetchBytes,
  fetchText,
  formatProgress,
  imageArchitecture,
  MemoryFs,
  startContainer,
} from '../src/page/index.js';

const query = new URLSearchParams(location.search);
const beside = (file: string): string => new URL(file, document.baseURI).toString();
const status = document.getElementById('status')!;

const terminal = new Terminal({ fontSize: 14, scrollback: 5000, convertEol: false });
const fit = new FitAddon();
terminal.loadAddon(fit);
terminal.open(document.getElementById('terminal')!);
fit.fit();
window.addEventListener('resize', () => fit.fit());

const README = `Files here live in the memory of this page and are gone when it is closed.\n`;

async function workspace(): Promise<MemoryFs> {
  const fs = new MemoryFs();
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  await fs.writeFile('README', encode(README));
  await fs.writeFile(
    'hello.c',
    encode('#include <stdio.h>\nint main(void) { puts("Hello from inside the tab"); return 0; }\n'),
  );
  return fs;
}

async function main(): Promise<void> {
  const memory = Number(query.get('memory') ?? '512');
  const engine = query.get('engine');
  const no = query.get('no');
  const torture = query.get('torture');
  const url = new URL(query.get('image') ?? 'image/', document.baseURI).toString();
  const arch = imageArchitecture(url);
  const container = startContainer({
    worker: await fetchText(beside('worker.js')),
    wasm: fetchBytes(beside('berth.wasm')),
    arch,
    kernel: arch.then((a) => fetchBytes(beside(`${a}/Image.gz`))),
    initrd: arch.then((a) => fetchBytes(beside(`${a}/initramfs.gz`))),
    image: { url },
    memory: Math.min(Math.max(memory, 64), 3072) * 1024 * 1024,
    ...((engine === 'jit' || engine === 'interp' || engine === 'eval') && { engine }),
    ...(no !== null && { no }),
    ...(torture !== null && { torture }),
    volumes: [{ guest: '/workspace', fs: await workspace() }],
    process: { cols: terminal.cols, rows: terminal.rows, env: { TERM: 'xterm-256color' } },
    onProgress: (p) => (status.textContent = formatProgress(p)),
    onLog: (level, text) => console.log(`[${level}] ${text}`),
    onConsole: (() => {
      const decoder = new TextDecoder();
      return (data: Uint8Array) => console.debug(decoder.decode(data, { stream: true }));
    })(),
    onMessage: (text) => (status.textContent = text),
  });
  const { main } = container;
  main.onData((data) => new Promise((resolve) => terminal.write(data, resolve)));
  main.onMessage((text) => terminal.writeln(`\r\n${text}`));
  terminal.onData((text) => main.write(text));
  terminal.onBinary((text) => main.write(Uint8Array.from(text, (c) => c.charCodeAt(0))));
  terminal.onResize(({ cols, rows }) => main.resize(cols, rows));
  window.addEventListener('pagehide', () => container.dispose());
  terminal.focus();
  Object.assign(window, { berth: container });

  const exit = await main.exited;
  if (exit !== undefined) terminal.writeln(`\r\n[process exited with status ${exit}]`);
  const end = await container.stopped;
  if (end.message !== '') terminal.writeln(`\r\n${end.message.replace(/\n/g, '\r\n')}`);
  status.textContent = 'Stopped. Reload the page to start again.';
}

main().catch((error: unknown) => {
  status.textContent = error instanceof Error ? error.message : String(error);
});
