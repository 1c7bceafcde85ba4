// The shipped worker and wasm in a Node thread: Linux boots, the probe image's program runs, and the
// page side sees what it should. guest/image/probe.c says what the commands do.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { after, before, describe, test } from 'node:test';
import { workedAhead } from './support/ahead.mjs';
import { built, internals, nodeWorker, serveFolder } from './support/env.mjs';

const { MemoryFs, startContainer } = internals;
const workerSource = fs.readFileSync(built('wasm/package/worker.js'), 'utf8');
const wasm = fs.readFileSync(process.env.BERTH_WASM ?? built('wasm/berth.wasm'));
const kernel = fs.readFileSync(built('wasm/guest/riscv64/Image.gz'));
const initrd = fs.readFileSync(built('wasm/guest/riscv64/initramfs.gz'));
const imageFolder = built('images/riscv64/scratch-test');
const bytes = (text) => new TextEncoder().encode(text);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

let server;
before(async () => (server = await serveFolder(imageFolder)));
after(() => server.close());

// Starts the probe with `args`; what a session wrote is in its `text`.
function run(args, options = {}) {
  const log = [];
  const progress = [];
  const container = startContainer({
    worker: () => nodeWorker(workerSource),
    wasm,
    kernel,
    initrd,
    memory: 128 << 20,
    image: { url: server.url },
    onProgress: (p) => progress.push(p),
    onLog: (level, text) => log.push(`${level}: ${text}`),
    onMessage: (text) => log.push(`message: ${text}`),
    ...options,
    process: { args, cols: 80, rows: 24, env: { TERM: 'xterm' }, ...options.process },
  });
  const main = watch(container.main);
  return { container, log, progress, main };
}

function watch(session) {
  const w = { session, text: '', waiters: [] };
  session.onData((data) => {
    w.text += Buffer.from(data).toString('latin1');
    for (const f of w.waiters) f();
  });
  session.onMessage((text) => (w.text += `<${text}>`));
  w.until = (pattern) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${pattern} in ${JSON.stringify(w.text)}`)), 20_000);
      const check = () => {
        if (!pattern.test(w.text)) return;
        clearTimeout(timer);
        resolve();
      };
      w.waiters.push(check);
      check();
    });
  return w;
}

// The kernel with another profile.
function withProfile(text) {
  const file = zlib.gunzipSync(kernel);
  const length = file.readUInt32LE(file.length - 12);
  assert.equal(file.toString('latin1', file.length - 8), 'BERTHPRF');
  const tail = Buffer.alloc(12);
  tail.writeUInt32LE(text.length);
  tail.write('BERTHPRF', 4, 'latin1');
  const own = file.subarray(0, file.length - 12 - length);
  return { profile: file.toString('latin1', own.length, own.length + length), kernel: Buffer.concat([own, Buffer.from(text, 'latin1'), tail]) };
}

const ended = (r) => Promise.all([r.main.session.exited, r.container.stopped]);

describe('a run', { timeout: 120_000 }, () => {
  test('environment, terminal, steps, exit 0', async () => {
    const r = run(['show'], { process: { defaultEnv: { LANG: 'C.UTF-8', TERM: 'dumb' } } });
    const [status, stopped] = await ended(r);
    assert.equal(status, 0, r.main.text);
    assert.deepEqual(stopped, { reason: 'poweroff', message: '' });
    assert.match(r.main.text, /machine=riscv64\r\n/);
    assert.match(r.main.text, /uid=0 gid=0/);
    assert.match(r.main.text, /tty=111\r\n/);
    assert.match(r.main.text, /env TERM=xterm\r\n/, 'a default gives way');
    assert.match(r.main.text, /env LANG=C\.UTF-8\r\n/);
    const done = r.progress.filter((p) => p.done);
    assert.deepEqual(done.map((p) => p.step), ['engine', 'image', 'boot']);
    const size = fs.readdirSync(path.join(imageFolder, 'blobs/sha256'))
      .reduce((sum, f) => sum + fs.statSync(path.join(imageFolder, 'blobs/sha256', f)).size, 0);
    assert.ok(done[1].bytes >= size && done[1].bytes < size + 4096, `${done[1].bytes} of ${size}`);
  });

  test('the exit status arrives', async () => {
    const [status] = await ended(run(['exit', '3']));
    assert.equal(status, 3);
  });

  test('a command that does not exist says so', async () => {
    const r = run([], { process: { entrypoint: '/nothing', args: [] } });
    const [status] = await ended(r);
    assert.equal(status, 127);
    assert.match(r.main.text, /nothing/);
  });

  test('typing, echo, resize, Ctrl-C', async () => {
    const r = run(['size', ',', 'child', 'cat']);
    await r.main.until(/size 80x24/);
    r.main.session.write('grüße\r');
    await r.main.until(/gr\xc3\xbc\xc3\x9fe\r\ngr\xc3\xbc\xc3\x9fe/); // echoed, then copied
    r.main.session.write('\x03');
    const [status] = await ended(r);
    assert.equal(status, 0);
    // The probe itself is process 1 of its namespace, which no default action ends.
    assert.match(r.main.text, /child signal 2\r\n$/);
  });

  test('a window change is a signal', async () => {
    const r = run(['await', ',', 'size']);
    await r.main.until(/ready/);
    r.main.session.resize(100, 30);
    const [status] = await ended(r);
    assert.match(r.main.text, /signal 28\r\nsize 100x30/);
    assert.equal(status, 0);
  });

  test('much output, slowly taken, is complete and bounded', async () => {
    let held = 0;
    let most = 0;
    let sum = '';
    const r = run(['raw', ',', 'out', '600000']);
    r.main.session.onData(async (data) => {
      held += data.length;
      most = Math.max(most, held);
      sum += Buffer.from(data).toString('latin1');
      await sleep(10);
      held -= data.length;
    });
    const [status] = await ended(r);
    assert.equal(status, 0);
    assert.equal(sum.length, 600_000);
    for (let i = 0; i < sum.length; i += 997)
      assert.equal(sum.charCodeAt(i), 97 + ((i * 7) % 26), `byte ${i}`);
    assert.ok(most <= 65536, `${most} bytes were under way`);
  });

  test('much input arrives', async () => {
    const r = run(['raw', ',', 'size', ',', 'cat']);
    await r.main.until(/size \d+x\d+\s*\n/); // raw mode is on
    const before = r.main.text.length;
    const data = new Uint8Array(300_000).map((_, i) => 33 + (i % 90));
    r.main.session.write(data);
    await r.main.until(new RegExp(`^[^]{${before + data.length}}`));
    assert.equal(Buffer.compare(Buffer.from(r.main.text.slice(before), 'latin1'), Buffer.from(data)), 0);
    await r.container.kill();
  });

  test('an idle guest costs no CPU and a second session joins it', async () => {
    const r = run(['await']);
    await r.main.until(/ready/);
    // First it translates what the kernel's profile names.
    const work = await workedAhead(r.container);
    assert.ok(work.engine.regions_ahead > 100, `${work.engine.regions_ahead} regions ahead`);
    const before = await r.container.getStats();
    await sleep(3000);
    const after = await r.container.getStats();
    assert.ok(after.busyMs - before.busyMs < 150, `${after.busyMs - before.busyMs} ms of 3000 busy`);
    assert.ok(after.memory > 128 << 20 && after.instructions > 1e6);
    const second = watch(await r.container.spawn({ args: ['size', ',', 'exit', '5'], cols: 33, rows: 11 }));
    assert.equal(await second.session.exited, 5);
    assert.match(second.text, /size 33x11/);
    const third = watch(await r.container.spawn({ args: ['await'], cols: 80, rows: 24 }));
    await third.until(/ready/);
    third.session.signal(10);
    assert.equal(await third.session.exited, 0);
    assert.match(third.text, /signal 10/);
    r.main.session.signal(15);
    const [status, stopped] = await ended(r);
    assert.equal(status, 0);
    assert.equal(stopped.reason, 'poweroff');
  });

  test('a profile is what was hot in the kernel', async () => {
    const r = run(['await']);
    await r.main.until(/ready/);
    await workedAhead(r.container);
    const profile = await r.container.getProfile();
    assert.match(profile, /^berth-profile 1 [0-9a-f]+\n(p[0-9a-f]{16}( [0-9a-f]{3}c?j?([FLB]h?)?)+\n)+$/);
    assert.ok(profile.match(/F/g).length > 100);
    await r.container.kill();
  });

  // Each is a kernel that runs all the same: what it names is not code, not there, or not to be read.
  const { profile } = withProfile('');
  const others = {
    'a later version': profile.replace('berth-profile 1', 'berth-profile 2'),
    'no profile': '\0\0\xff',
    'of another kernel': profile.replaceAll(/ ([0-9a-f]{2})[0-9a-f]/g, ' $17'),
    'cut off': profile.slice(0, 20_001),
    'of other words': profile.replaceAll(/ ([0-9a-f]{3})/g, ' zz $1q'),
    'of pages that are not there': profile.replaceAll('pffffffff', 'pfffff0ff'),
    'of user space': profile.replaceAll('pffffffff', 'p00000000'),
  };
  for (const [name, text] of Object.entries(others)) {
    test(`a profile that is none: ${name}`, async () => {
      const r = run(['await'], { kernel: withProfile(text).kernel });
      await r.main.until(/ready/);
      const unreadable = /version|no profile/.test(name);
      const { engine } = await workedAhead(r.container);
      assert.equal(/profile is not one/.test(r.log.join('\n')), unreadable, r.log.join('\n'));
      if (unreadable) assert.equal(engine.regions_ahead, 0);
      const second = watch(await r.container.spawn({ args: ['size', ',', 'exit', '5'], cols: 33, rows: 11 }));
      assert.equal(await second.session.exited, 5);
      assert.match(second.text, /size 33x11/);
      await r.container.kill();
    });
  }

  test('stop ends a program that does not care, and the worker', async () => {
    const r = run(['haunt', ',', 'await']);
    await r.main.until(/ready/);
    const begin = performance.now();
    const stopped = await r.container.stop();
    assert.equal(stopped.reason, 'poweroff');
    assert.ok(performance.now() - begin < 12_000);
  });
});

describe('the workspace', { timeout: 120_000 }, () => {
  const guest = '/workspace';
  const read = async (w, p) => Buffer.from(await w.readFile(p)).toString();

  test('files go both ways and are saved at the end', async () => {
    const w = new MemoryFs();
    await w.createDirectory('dir');
    await w.writeFile('dir/a.txt', bytes('from the page\n'));
    await w.writeFile('old', bytes('old'));
    const p = (name) => `${guest}/${name}`;
    const r = run(
      ['ls', guest, ',', 'read', p('dir/a.txt'), ',', 'write', p('new'), 'one', ',', 'append', p('new'), 'two', ',',
        'mkdir', p('made'), ',', 'mv', p('new'), p('made/new'), ',', 'write', p('x'), 'X', ',', 'mv', p('x'), p('old'),
        ',', 'rm', p('dir/a.txt'), ',', 'rm', p('dir'), ',', 'ln', 'old', p('link'), ',', 'read', p('link'), ',',
        'chmod', '755', p('old'), ',', 'stat', p('old'), ',', 'map', p('mapped')],
      { volumes: [{ guest, fs: w }] },
    );
    const [status] = await ended(r);
    assert.equal(status, 0, r.main.text);
    assert.match(r.main.text, /^dir\r\nold\r\nfrom the page\r\n/);
    assert.match(r.main.text, /mode=100755 uid=0 gid=0 size=1/);
    assert.match(r.main.text, /map coherent/);
    const names = (await w.readDirectory('')).map(([n]) => n).sort();
    assert.deepEqual(names.filter((n) => n !== 'link'), ['made', 'mapped', 'old']);
    assert.equal(await read(w, 'made/new'), 'onetwo');
    assert.equal(await read(w, 'old'), 'X');
    const mapped = await read(w, 'mapped');
    assert.equal(mapped.length, 8192);
    assert.equal(mapped.slice(100, 106), 'mapped');
    assert.equal(mapped.slice(5000, 5007), 'written');
  });

  test('an edit on the page is seen by an open file in the guest', async () => {
    const w = new MemoryFs();
    await w.writeFile('log', bytes('first\n'));
    const r = run(['follow', `${guest}/log`, 'second'], { volumes: [{ guest, fs: w }] });
    await r.main.until(/following/);
    await sleep(300);
    await w.writeFile('log', bytes('first\nsecond\n'));
    const [status] = await ended(r);
    assert.equal(status, 0, r.main.text);
    assert.match(r.main.text, /following\r\nseen/);
  });

  test('a workspace that fails gives errors in the guest, not a hang', async () => {
    const broken = {
      stat: async (p) => {
        if (p === '') return { type: 2, size: 0, mtime: 0, ctime: 0 };
        throw new Error('the network drive is gone');
      },
      readDirectory: async () => [['x', 1]],
    };
    const r = run(['read', `${guest}/x`], { volumes: [{ guest, fs: broken }] });
    const [status] = await ended(r);
    assert.equal(status, 1);
    assert.match(r.main.text, /probe: \/workspace\/x: /);
    assert.ok(r.log.some((l) => /Workspace file "x".*network drive is gone/.test(l)), r.log.join('\n'));
  });

  test('a read-only volume refuses writing; several volumes are apart', async () => {
    const a = new MemoryFs();
    const b = new MemoryFs();
    await b.writeFile('f', bytes('b'));
    const r = run(['write', '/w/a/f', 'a', ',', 'read', '/w/b/f', ',', 'write', '/w/b/f', 'no'], {
      volumes: [{ guest: '/w/a', fs: a }, { guest: '/w/b', fs: b, readonly: true }],
    });
    const [status] = await ended(r);
    assert.equal(status, 1);
    assert.match(r.main.text, /probe: \/w\/b\/f: Read-only file system/);
    assert.match(r.main.text, /b$/);
    assert.equal(await read(a, 'f'), 'a');
    assert.equal(await read(b, 'f'), 'b');
  });
});

describe('bad images', { timeout: 60_000 }, () => {
  // A copy of the image, changed by `change`; the message that the start ends with.
  async function message(change, url = (base) => base, more = {}) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-web-'));
    fs.cpSync(imageFolder, folder, { recursive: true });
    change(folder);
    const server = await serveFolder(folder);
    try {
      const r = run(['show'], { image: { url: url(server.url) }, ...more });
      const [status, stopped] = await ended(r);
      assert.equal(status, undefined);
      assert.equal(stopped.reason, 'error');
      return stopped.message;
    } finally {
      server.close();
      fs.rmSync(folder, { recursive: true });
    }
  }
  const blobs = (folder) => path.join(folder, 'blobs/sha256');
  const largest = (folder) =>
    fs.readdirSync(blobs(folder))
      .map((f) => path.join(blobs(folder), f))
      .sort((a, b) => fs.statSync(b).size - fs.statSync(a).size)[0];

  test('nothing at the URL', async () =>
    assert.match(await message(() => {}, (base) => `${base}nowhere`), /nowhere\/.* does not exist \(HTTP 404\)/));
  test('not a URL', async () => assert.match(await message(() => {}, () => 'debian:12x/'), /image layout|https?/));
  test('a layer is missing', async () =>
    assert.match(await message((f) => fs.rmSync(largest(f))), /blobs\/sha256\/[0-9a-f]{64} does not exist.*layer 1 of 1/));
  test('a layer is damaged', async () => {
    const text = await message((f) => {
      const data = fs.readFileSync(largest(f));
      data[data.length >> 1] ^= 1;
      fs.writeFileSync(largest(f), data);
    });
    assert.match(text, /digest|damaged|corrupt|gzip/i);
  });
  test('index.json is a web page', async () =>
    assert.match(await message((f) => fs.writeFileSync(path.join(f, 'index.json'), '<html>')), /http:\/\/.*index\.json/));
  test('index.json is cut off', async () =>
    assert.match(
      await message((f) => fs.writeFileSync(path.join(f, 'index.json'), '{"manifests": [')),
      /^Image http:\/\/[^ ]+: index\.json is not valid JSON .*again/,
    ));
  test('another architecture', async () => {
    const text = await message((f) => {
      // A new configuration needs new digests up to the index.
      const put = (data) => {
        const hex = crypto.createHash('sha256').update(data).digest('hex');
        fs.writeFileSync(path.join(blobs(f), hex), data);
        return { digest: `sha256:${hex}`, size: data.length };
      };
      const get = (d) => JSON.parse(fs.readFileSync(path.join(blobs(f), d.digest.split(':')[1]), 'utf8'));
      const index = JSON.parse(fs.readFileSync(path.join(f, 'index.json'), 'utf8'));
      const manifest = get(index.manifests[0]);
      const config = get(manifest.config);
      config.architecture = 's390x';
      Object.assign(manifest.config, put(Buffer.from(JSON.stringify(config))));
      Object.assign(index.manifests[0], put(Buffer.from(JSON.stringify(manifest))));
      if (index.manifests[0].platform) index.manifests[0].platform.architecture = 's390x';
      fs.writeFileSync(path.join(f, 'index.json'), JSON.stringify(index));
    });
    assert.match(text, /s390x/);
    assert.match(text, /linux\/riscv64 or linux\/amd64/);
  });
  test('an image for another machine than the one that was asked for', async () =>
    assert.match(
      await message(() => {}, (base) => base, { arch: 'x86_64' }),
      /the image is for linux\/riscv64, but the machine was to be linux\/amd64; start it as one for linux\/riscv64 /,
    ));
});

describe('bad surroundings', { timeout: 60_000 }, () => {
  test('an engine that is no wasm', async () => {
    const r = run(['show'], { wasm: bytes('<!doctype html>') });
    const [, stopped] = await ended(r);
    assert.equal(stopped.reason, 'error');
    assert.match(stopped.message, /WebAssembly/);
  });
  test('a damaged kernel file', async () => {
    const r = run(['show'], { kernel: kernel.subarray(0, 100_000) });
    const [, stopped] = await ended(r);
    assert.equal(stopped.reason, 'error');
    assert.match(stopped.message, /guest kernel is damaged/);
  });
  test('stopping while the image loads', async () => {
    const r = run(['show'], { image: { url: server.url } });
    await sleep(100);
    const stopped = await r.container.stop();
    assert.equal(stopped.reason, 'poweroff');
    assert.equal(await r.main.session.exited, undefined);
  });
});
