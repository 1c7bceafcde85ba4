// The page side with a scripted worker: queues, credit, sessions, the end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { internals } from './support/env.mjs';

const { startContainer, MemoryFs, serveRemote, RemoteOp, RemoteFsError, processRecords, vmRecords, Outbox } =
  internals;
const tick = () => new Promise((resolve) => setTimeout(resolve, 5));
const bytes = (text) => new TextEncoder().encode(text);
const text = (data) => new TextDecoder().decode(data);

function start(options = {}) {
  const worker = {
    sent: [],
    terminated: false,
    onmessage: null,
    onerror: null,
    postMessage(m) {
      this.sent.push(m);
    },
    terminate() {
      this.terminated = true;
    },
    say(m) {
      this.onmessage({ data: m });
    },
    of(type) {
      return this.sent.filter((m) => m.type === type);
    },
  };
  const container = startContainer({
    worker: () => worker,
    wasm: bytes('w'),
    kernel: bytes('k'),
    initrd: bytes('i'),
    image: { url: 'https://e.org/i' },
    ...options,
  });
  return { worker, container };
}

test('what is sent before the worker exists arrives after start, in order', async () => {
  const { worker, container } = start();
  container.main.write('ls\r');
  container.main.resize(100, 30);
  assert.equal(worker.sent.length, 0);
  await tick();
  assert.deepEqual(worker.sent.map((m) => m.type), ['start', 'stdin', 'resize']);
  assert.equal(text(worker.sent[1].data), 'ls\r');
  assert.equal(worker.sent[0].options.imageUrl, 'https://e.org/i');
});

test('output before a listener is kept; credit follows the listener', async () => {
  const { worker, container } = start();
  await tick();
  worker.say({ type: 'output', session: 1, stream: 'stdout', data: bytes('early') });
  await tick();
  assert.equal(worker.of('outputDone').length, 0);
  const got = [];
  let release;
  container.main.onData((d) => {
    got.push(text(d));
    return new Promise((resolve) => (release = resolve));
  });
  assert.deepEqual(got, ['early']);
  await tick();
  assert.equal(worker.of('outputDone').length, 0, 'the listener has not finished');
  release();
  await tick();
  assert.deepEqual(worker.of('outputDone'), [{ type: 'outputDone', session: 1, bytes: 5 }]);
});

test('sessions: spawn, exit, refusal', async () => {
  const { worker, container } = start();
  await tick();
  const first = container.spawn({ shell: true });
  const second = container.spawn({ args: ['false'] });
  const [a, b] = worker.of('spawn');
  worker.say({ type: 'spawned', request: a.request, session: 2 });
  worker.say({ type: 'spawnFailed', request: b.request, message: 'no such file' });
  const session = await first;
  await assert.rejects(second, /no such file/);
  worker.say({ type: 'exited', session: 2, status: 3 });
  assert.equal(await session.exited, 3);
  session.write('x');
  assert.equal(worker.of('stdin').length, 0, 'nothing goes to a session that ended');
});

test('closing another session hangs up; closing the first stops the container', async () => {
  const { worker, container } = start();
  await tick();
  const pending = container.spawn({});
  worker.say({ type: 'spawned', request: worker.of('spawn')[0].request, session: 2 });
  const session = await pending;
  session.dispose();
  assert.deepEqual(worker.of('signal'), [{ type: 'signal', session: 2, signal: 1 }]);
  assert.equal(worker.of('shutdown').length, 0);
  container.main.dispose();
  assert.equal(worker.of('shutdown').length, 1);
  await assert.rejects(container.spawn({}), /has stopped/);
  worker.say({ type: 'stopped', reason: 'poweroff', message: '' });
  assert.deepEqual(await container.stopped, { reason: 'poweroff', message: '' });
  assert.ok(worker.terminated);
  assert.equal(await container.main.exited, undefined);
});

test('a worker that breaks ends everything with a message', async () => {
  const { worker, container } = start();
  await tick();
  const pending = container.spawn({});
  worker.onerror({ message: 'out of memory' });
  const stopped = await container.stopped;
  assert.equal(stopped.reason, 'error');
  assert.match(stopped.message, /worker failed: out of memory/);
  await assert.rejects(pending, /out of memory/);
});

test('a file of the distribution that cannot be had is an error of the start', async () => {
  const { worker, container } = start({ kernel: Promise.reject(new Error('kernel: HTTP 404')) });
  const stopped = await container.stopped;
  assert.deepEqual(stopped, { reason: 'error', message: 'kernel: HTTP 404' });
  assert.equal(worker.sent.length, 0);
});

test('stop before there is a worker needs no worker', async () => {
  let resolve;
  const { container } = start({ wasm: new Promise((r) => (resolve = r)) });
  assert.equal((await container.stop()).reason, 'poweroff');
  resolve(bytes('w'));
  await tick();
});

test('volumes: requests are served, changes are told, errors have codes', async () => {
  const fs = new MemoryFs();
  await fs.writeFile('a', bytes('A'));
  const { worker } = start({ volumes: [{ guest: '/w', fs }] });
  await tick();
  worker.say({ type: 'fsRequest', volume: 0, id: 1, op: RemoteOp.readFile, path: 'a' });
  worker.say({ type: 'fsRequest', volume: 0, id: 2, op: RemoteOp.stat, path: 'missing' });
  worker.say({ type: 'fsRequest', volume: 7, id: 3, op: RemoteOp.stat, path: '' });
  await tick();
  assert.equal(text(worker.of('fsDone')[0].data), 'A');
  assert.deepEqual(
    worker.of('fsFail').map((m) => [m.id, m.code]).sort(),
    [[2, 'FileNotFound'], [3, 'Unavailable']],
  );
  await fs.writeFile('b', bytes('B'));
  assert.deepEqual(worker.of('fsChanged'), [{ type: 'fsChanged', volume: 0, path: 'b' }]);
});

test('a broken machine cannot leave a volume or write to a read-only one', async () => {
  const fs = new MemoryFs();
  await fs.writeFile('a', bytes('A'));
  const touched = [];
  const watched = new Proxy(fs, {
    get: (_, name) => (typeof fs[name] !== 'function' ? fs[name] : (...args) => (touched.push(name), fs[name](...args))),
  });
  const { worker } = start({
    volumes: [
      { guest: '/w', fs: watched },
      { guest: '/r', fs: watched, readonly: true },
    ],
  });
  await tick();
  touched.length = 0;
  const outside = ['..', '../x', 'd/../../x', 'd/..', '/etc', '..\\x', 'd\\..\\..\\x', 'a\0b'];
  let id = 0;
  for (const path of outside) {
    worker.say({ type: 'fsRequest', volume: 0, id: id++, op: RemoteOp.stat, path });
    worker.say({ type: 'fsRequest', volume: 0, id: id++, op: RemoteOp.rename, path: 'a', path2: path });
  }
  for (const op of [RemoteOp.writeFile, RemoteOp.createDirectory, RemoteOp.delete, RemoteOp.rename])
    worker.say({ type: 'fsRequest', volume: 1, id: id++, op, path: 'a', path2: 'b' });
  await tick();
  assert.deepEqual(worker.of('fsFail').map((m) => m.code), Array(id).fill('NoPermissions'));
  assert.deepEqual(touched, []);
  // Names that only look alike, and reading.
  await fs.writeFile('..a', bytes('B'));
  worker.say({ type: 'fsRequest', volume: 1, id: 100, op: RemoteOp.readFile, path: '..a' });
  worker.say({ type: 'fsRequest', volume: 1, id: 101, op: RemoteOp.readDirectory, path: '' });
  await tick();
  assert.deepEqual(worker.of('fsDone').map((m) => m.id), [100, 101]);
});

test('payloads are those of fs_remote.h', async () => {
  const stat = { type: 1, readonly: true, size: 2 ** 33 + 5, mtime: 1_700_000_000_123.7, ctime: NaN };
  const fs = {
    stat: async () => stat,
    readDirectory: async () => [['ä', 1], ['d', 2], ['x'.repeat(300), 1]],
  };
  const encode = (t) => bytes(t);
  const s = new DataView((await serveRemote(fs, { op: RemoteOp.stat, path: '' }, encode)).buffer);
  assert.deepEqual(
    [s.byteLength, s.getUint32(0, true), s.getUint32(4, true), s.getBigUint64(8, true), s.getBigUint64(16, true), s.getBigUint64(24, true)],
    [32, 1, 1, 2n ** 33n + 5n, 1_700_000_000_123n, 0n],
  );
  const d = await serveRemote(fs, { op: RemoteOp.readDirectory, path: '' }, encode);
  assert.deepEqual([...d], [1, 2, 0, 0xc3, 0xa4, 2, 1, 0, 0x64]);
});

test('memory file system behaves like an editor’s', async () => {
  const fs = new MemoryFs();
  const code = (c) => (e) => e instanceof RemoteFsError && e.code === c;
  await fs.createDirectory('d');
  await assert.rejects(fs.createDirectory('d'), code('FileExists'));
  await fs.writeFile('d/x', bytes('1'));
  await fs.writeFile('y', bytes('2'));
  await assert.rejects(fs.delete('d'), code('NoPermissions'));
  await fs.rename('y', 'd/x');
  assert.equal(text(await fs.readFile('d/x')), '2');
  await assert.rejects(fs.stat('y'), code('FileNotFound'));
  await assert.rejects(fs.readFile('d'), code('FileIsADirectory'));
  await assert.rejects(fs.stat('d/x/z'), code('FileNotADirectory'));
  assert.deepEqual(await fs.readDirectory(''), [['d', 2]]);
});

test('option records', () => {
  assert.equal(
    processRecords({ args: ['a b', ''], env: { A: '1=2' }, defaultEnv: { L: 'C' }, shell: true, cols: 80, rows: 24 }),
    'tty=1\0arg=a b\0arg=\0env=A=1=2\0default_env=L=C\0shell=1\0cols=80\0rows=24\0',
  );
  assert.throws(() => processRecords({ cwd: 'a\0b' }), /NUL/);
  const vm = { arch: 'riscv64', memory: 1024, imageUrl: 'x', volumes: [{ guest: '/w', readonly: true }], process: {} };
  assert.equal(vmRecords(vm), 'arch=riscv64\0memory=1024\0volume=ro:/w\0tty=1\0');
});

test('outbox joins neighbours and keeps the order', () => {
  const posted = [];
  const box = new Outbox((m) => posted.push([m.type, m.session, m.stream, text(m.data)]));
  const out = (session, stream, t) => box.add({ type: 'output', session, stream }, bytes(t));
  out(1, 'stdout', 'a');
  out(1, 'stdout', 'b');
  out(1, 'stderr', 'c');
  box.add({ type: 'console' }, bytes('k'));
  out(1, 'stdout', 'd');
  box.flush();
  box.flush();
  assert.deepEqual(posted, [
    ['output', 1, 'stdout', 'ab'],
    ['output', 1, 'stderr', 'c'],
    ['console', undefined, undefined, 'k'],
    ['output', 1, 'stdout', 'd'],
  ]);
});
