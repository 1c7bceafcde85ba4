// Kept images on a file system that locks as a browser's does.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { internals } from './support/env.mjs';

const { ImageCache } = internals;
const digest = (n) => `sha256:${String(n).padStart(64, '0')}`;
const bytes = (text) => new TextEncoder().encode(text);

const notFound = () => {
  throw new DOMException('no such entry', 'NotFoundError');
};
const locked = () => {
  throw new DOMException('in use', 'NoModificationAllowedError');
};

class File {
  kind = 'file';
  data = Buffer.alloc(0);
  writer = false;
  readers = 0;
  lastModified = File.clock++;
  static clock = 1;
  async getFile() {
    const { data, lastModified } = this;
    return { lastModified, arrayBuffer: async () => new Uint8Array(data).buffer };
  }
  async createSyncAccessHandle(options) {
    const reads = options?.mode === 'read-only';
    if (this.writer || (!reads && this.readers > 0)) locked();
    if (reads) this.readers++;
    else this.writer = true;
    const bytesOf = (b) => new Uint8Array(b.buffer, b.byteOffset, b.byteLength);
    return {
      getSize: () => this.data.length,
      truncate: (n) => (this.data = this.data.subarray(0, n)),
      flush: () => {},
      close: () => (reads ? this.readers-- : (this.writer = false)),
      read: (b, { at }) => this.data.copy(bytesOf(b), 0, at, at + b.byteLength),
      write: (b, { at }) => {
        const end = Math.max(this.data.length, at + b.byteLength);
        const next = Buffer.alloc(end);
        this.data.copy(next);
        next.set(bytesOf(b), at);
        this.data = next;
        return b.byteLength;
      },
    };
  }
}

class Folder {
  kind = 'directory';
  map = new Map();
  async getDirectoryHandle(name) {
    if (!this.map.has(name)) this.map.set(name, new Folder());
    return this.map.get(name);
  }
  async getFileHandle(name, options) {
    if (!this.map.has(name)) options?.create ? this.map.set(name, new File()) : notFound();
    return this.map.get(name);
  }
  async removeEntry(name) {
    const f = this.map.get(name) ?? notFound();
    if (f.writer || f.readers > 0) locked();
    this.map.delete(name);
  }
  async *entries() {
    yield* [...this.map];
  }
}

async function fresh() {
  const root = new Folder();
  Object.defineProperty(globalThis, 'navigator', {
    value: { storage: { getDirectory: async () => root } },
    configurable: true,
  });
  const notes = [];
  const cache = await ImageCache.open((t) => notes.push(t));
  return { cache, notes, names: () => [...root.map.get('berth-images').map.keys()].sort(), root };
}

async function put(cache, n, content) {
  const image = await cache.create(digest(n));
  image.store.append(bytes(content));
  await image.keep(bytes(`tree of ${content}`));
  return image;
}

async function get(cache, n) {
  const kept = await cache.find(digest(n));
  if (kept === undefined) return undefined;
  const out = new Uint8Array(kept.storeSize);
  assert.ok(kept.store.read(0, out));
  return { ...kept, content: Buffer.from(out).toString(), tree: Buffer.from(kept.tree).toString() };
}

test('an image comes back, for several readers at a time', async () => {
  const { cache } = await fresh();
  assert.equal(await get(cache, 1), undefined);
  const image = await put(cache, 1, 'abc');
  const first = await get(cache, 1); // while the one that read it in still runs
  const second = await get(cache, 1);
  assert.equal(first.content, 'abc');
  assert.equal(first.tree, 'tree of abc');
  assert.equal(second.content, 'abc');
  for (const s of [image.store, first.store, second.store]) await s.close();
  assert.equal((await get(cache, 1)).content, 'abc');
});

test('an image that was not completed leaves nothing behind', async () => {
  const { cache, names } = await fresh();
  const image = await cache.create(digest(1));
  image.store.append(bytes('half'));
  await image.store.close();
  assert.deepEqual(names(), []);
});

test('a reader of an image in use falls back, and the image stays', async () => {
  const { cache, notes, names } = await fresh();
  const image = await put(cache, 1, 'abc');
  const other = await cache.create(digest(1));
  assert.equal(other.store.kind, 'memory');
  assert.ok(notes.some((n) => /not kept for later runs/.test(n)));
  await other.keep(bytes('t'));
  assert.equal(names().length, 2);
  await image.store.close();
  assert.equal((await get(cache, 1)).content, 'abc');
});

test('cut-off files are refused, and forgotten on demand', async () => {
  const { cache, notes, root, names } = await fresh();
  await (await put(cache, 1, 'abcdef')).store.close();
  const folder = root.map.get('berth-images').map;
  const blob = [...folder].find(([n]) => n.endsWith('.blob'))[1];
  blob.data = blob.data.subarray(0, 3);
  assert.equal(await get(cache, 1), undefined);
  assert.match(notes.at(-1), /cut off/);
  assert.equal(blob.readers, 0, 'not left locked');
  const tree = [...folder].find(([n]) => n.endsWith('.tree'))[1];
  tree.data = tree.data.subarray(0, 5);
  assert.equal(await get(cache, 1), undefined);
  await cache.forget(digest(1));
  assert.deepEqual(names(), []);
});

test('only the latest images are kept, but none in use is removed', async () => {
  const { cache, names } = await fresh();
  const first = await put(cache, 1, 'one');
  for (const n of [2, 3, 4, 5, 6]) await (await put(cache, n, 'x')).store.close();
  assert.deepEqual(
    names().filter((n) => n.endsWith('.blob')).map((n) => Number(/(\d)\.blob/.exec(n)[1])),
    [1, 3, 4, 5, 6],
  );
  assert.equal(names().length, 10, 'each with its tree');
  await first.store.close();
});

test('without a private file system, or with an odd digest: memory', async () => {
  Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
  const notes = [];
  const cache = await ImageCache.open((t) => notes.push(t));
  assert.match(notes[0], /kept in memory/);
  assert.equal(await cache.find(digest(1)), undefined);
  const image = await put(cache, 1, 'abc');
  assert.equal(image.store.size, 3);
  const { cache: real, names } = await fresh();
  const odd = await real.create('sha256:../x');
  await odd.keep(bytes('t'));
  assert.deepEqual(names(), []);
});
