// The blob stores against a plain buffer, at random.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { internals } from './support/env.mjs';

const { FileStore, MemoryStore } = internals;

function random(seed) {
  let s = seed;
  return (n) => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return Math.floor((s / 2 ** 32) * n);
  };
}

// A file that reads and writes less than it is asked, as a real one may.
function fakeFile(rnd) {
  let data = Buffer.alloc(0);
  const state = { closed: false, full: false };
  return {
    state,
    read(buffer, { at }) {
      const n = Math.min(buffer.length, data.length - at, 1 + rnd(buffer.length));
      buffer.set(data.subarray(at, at + n));
      return n;
    },
    write(buffer, { at }) {
      if (state.full) return 0;
      assert.equal(at, data.length, 'append only');
      const n = Math.min(buffer.length, 1 + rnd(buffer.length));
      data = Buffer.concat([data, buffer.subarray(0, n)]);
      return n;
    },
    flush() {
      state.synced = data.length;
    },
    close() {
      state.closed = true;
    },
  };
}

function exercise(store, rnd) {
  let all = Buffer.alloc(0);
  for (let i = 0; i < 60; i++) {
    const chunk = Buffer.from(Array.from({ length: rnd(120_000) }, () => rnd(256)));
    assert.equal(store.append(chunk), all.length);
    all = Buffer.concat([all, chunk]);
    for (let k = 0; k < 5; k++) {
      const at = rnd(all.length + 1);
      const out = new Uint8Array(rnd(all.length - at + 1));
      assert.equal(store.read(at, out), true);
      assert.ok(Buffer.from(out).equals(all.subarray(at, at + out.length)));
    }
    assert.equal(store.read(all.length, new Uint8Array(1)), false);
    assert.equal(store.read(-1, new Uint8Array(1)), false);
  }
  assert.ok(all.length > 2 << 20, 'several chunks were used');
}

test('memory store', () => exercise(new MemoryStore(), random(1)));
test('file store', async () => {
  const rnd = random(2);
  const file = fakeFile(rnd);
  let removed = false;
  const store = new FileStore(file, async () => void (removed = true));
  exercise(store, rnd);
  const { size } = store;
  store.sync();
  assert.equal(store.size, size);
  assert.equal(file.state.synced, size, 'nothing is left in memory');
  const again = new FileStore(file, undefined, size);
  const [a, b] = [new Uint8Array(5000), new Uint8Array(5000)];
  assert.ok(store.read(size - 5000, a) && again.read(size - 5000, b));
  assert.deepEqual(a, b);
  await store.close();
  assert.ok(file.state.closed && removed);
});
test('a full disk is an error, not a loop', () => {
  const file = fakeFile(random(3));
  file.state.full = true;
  const store = new FileStore(file, async () => {});
  assert.throws(() => store.append(new Uint8Array(2 << 20)), /takes no more data/);
});
