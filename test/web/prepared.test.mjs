// Images with a profile of their programs: how guest/image/ makes one, and what the engine does with it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { after, before, describe, test } from 'node:test';
import { hashesOf, Hot, pageHash, pagesBelow, placed } from '../../guest/image/pages.mjs';
import { workedAhead } from './support/ahead.mjs';
import { built, internals, nodeWorker, serveFolder } from './support/env.mjs';

const PAGE = 4096;

function start(arch, image, process) {
  const container = internals.startContainer({
    worker: () => nodeWorker(fs.readFileSync(built('wasm/package/worker.js'), 'utf8')),
    wasm: fs.readFileSync(built('wasm/berth.wasm')),
    arch,
    kernel: fs.readFileSync(built('wasm/guest', arch, 'Image.gz')),
    initrd: fs.readFileSync(built('wasm/guest', arch, 'initramfs.gz')),
    image: { url: image },
    memory: 512 << 20,
    process: { cols: 80, rows: 24, ...process },
  });
  const main = { text: '' };
  container.main.onData((data) => void (main.text += Buffer.from(data).toString('latin1')));
  return { container, main };
}

async function until(probe, what) {
  for (let tries = 0; tries < 600; tries++) {
    if (await probe()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`waited a minute for ${what}`);
}

// The only file of this layout's image, first in its only layer.
function probe(layout) {
  const blobs = path.join(layout, 'blobs/sha256');
  const layer = fs.readdirSync(blobs).map((f) => path.join(blobs, f)).sort((a, b) => fs.statSync(b).size - fs.statSync(a).size)[0];
  const tar = zlib.gunzipSync(fs.readFileSync(layer));
  assert.equal(tar.toString('latin1', 0, 5), 'probe');
  return tar.subarray(512, 512 + parseInt(tar.toString('latin1', 124, 136), 8));
}

describe('the pages of programs', () => {
  // A program as far as it is looked at: so many pages, of which `last` bytes are in the file.
  const program = (pages, last = PAGE, seed = 1) => {
    const b = Buffer.alloc((pages - 1) * PAGE + last);
    for (let i = 0; i < b.length; i++) b[i] = (i * 7 + (i >> 12) * 31 + seed) & 255;
    b.write('\x7fELF', 0, 'latin1');
    return b;
  };

  test('a hash is as the engine has it', () => {
    // By profile_hash of src/exec, natively.
    assert.equal(pageHash(new Int32Array(1024)), '7e3436b25050030a');
    assert.equal(pageHash(Int32Array.from({ length: 1024 }, (_, i) => Math.imul(i, 0x01010101))), '7c18d79cdc2a2f2b');
    assert.deepEqual(hashesOf(new Uint8Array(0)), []);
    const b = program(2, 100);
    const whole = Buffer.alloc(2 * PAGE);
    b.copy(whole);
    assert.deepEqual(hashesOf(b), hashesOf(whole), 'the last page is filled up with zeros');
  });

  test('of regular ELF files, once each', () => {
    const root = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-pages-'));
    try {
      fs.mkdirSync(path.join(root, 'usr/bin'), { recursive: true });
      fs.symlinkSync('usr/bin', path.join(root, 'bin'));
      fs.writeFileSync(path.join(root, 'usr/bin/a'), program(2));
      fs.linkSync(path.join(root, 'usr/bin/a'), path.join(root, 'usr/bin/b'));
      fs.symlinkSync('a', path.join(root, 'usr/bin/c'));
      fs.writeFileSync(path.join(root, 'usr/bin/script'), '#!/bin/sh\n'.repeat(1000));
      fs.writeFileSync(path.join(root, 'empty'), '');
      fs.writeFileSync(path.join(root, 'copy'), program(2));
      const pages = pagesBelow(root);
      assert.deepEqual([...pages.values()], [0, 1].map((i) => [['/copy', i], ['/usr/bin/a', i]]));
    } finally {
      fs.rmSync(root, { recursive: true });
    }
  });

  const hash = (n) => n.toString(16).padStart(16, '0');
  const profile = (...lines) => `berth-profile 1 1f\n${lines.map((l) => `q - ${l}\n`).join('')}`;
  const hotOf = (...containers) => {
    const hot = new Hot();
    for (const texts of containers) hot.add(texts);
    return hot;
  };

  test('are put in their files, by file and page', () => {
    const pages = new Map([
      [hash(1), [['/bin/dir', 3], ['/bin/ls', 3]]],
      [hash(2), [['/bin/dir', 0x12], ['/bin/ls', 0x12]]],
      [hash(3), [['/bin/with a blank', 1]]],
      [hash(4), [['/bin/egrep', 0x2], ['/bin/grep', 0x3]]],
      [hash(5), [['/bin/egrep', 0x3]]],
    ]);
    const hot = hotOf([profile(`${hash(2)} 00aF`, `${hash(9)} 123`, `${hash(3)} 000cjLh fff`, `${hash(1)} 010`, `${hash(5)} 050`, `${hash(4)} 020`)]);
    const { text, files, pages: count } = placed(hot, pages);
    assert.equal(text, [
      'berth-profile 1 1f',
      'f /bin/egrep', `q 2 ${hash(4)} 020`, `q 3 ${hash(5)} 050`,
      'f /bin/ls', `q 3 ${hash(1)} 010`, `q 12 ${hash(2)} 00aF`,
      'f /bin/with a blank', `q 1 ${hash(3)} 000cjLh fff`, '',
    ].join('\n'));
    assert.deepEqual([files, count], [3, 5]);
  });

  test('what several profiles say comes together', () => {
    const hot = hotOf(
      [profile(`${hash(1)} 010F 020c 040L`), profile(`${hash(1)} 000 010 020jB`), profile(`${hash(1)}`)],
      [profile(`${hash(1)} 010Lh*12 030`, `${hash(2)} 000F*1`)],
    );
    assert.equal(hot.words([hash(1)]).get(hash(1)), ' 000 010Lh 020cjB 030 040L');
    assert.throws(() => hot.add(['berth-profile 1 1e\n']), /two forms/);
    assert.throws(() => hotOf(['berth-profile 1 0\npffffffff81000000 000\n']), /none of a page/);
  });

  test('of too much, what was hottest in any of the containers is kept', () => {
    const offsets = Array.from({ length: 2000 }, (_, i) => (2 * i).toString(16).padStart(3, '0'));
    const some = profile(`${hash(1)} ${offsets.map((o, i) => `${o}Fh${i < 1000 ? '' : '*30'}`).join(' ')}`);
    const other = profile(`${hash(2)} ${offsets.map((o) => `${o}L`).join(' ')}`);
    const hot = hotOf([some], [other]);
    const words = hot.words([hash(1), hash(2)]);
    const count = (h, pattern) => words.get(hash(h)).match(pattern)?.length ?? 0;
    assert.deepEqual([count(1, /F/g), count(2, /L/g), count(1, /h/g)], [1500, 1500, 1000]);
    assert.match(words.get(hash(1)), / 7d0Fh .* f9eFh?/, 'the thousandth and the last');
    assert.match(words.get(hash(1)), / 5dc 5de .* 7ce /, 'the others are known as code');
  });
});

describe('the profile of programs', { timeout: 120_000 }, () => {
  let server;
  before(async () => (server = await serveFolder(built('images/riscv64/scratch-test'))));
  after(() => server.close());

  test('has pages of the file that ran, by their content', async () => {
    const { container, main } = start('riscv64', server.url, { args: ['raw', ',', 'out', '20000000', ',', 'await'] });
    await until(() => main.text.includes('ready'), 'the program');
    let profile = '';
    await until(async () => (profile = await container.getProfile('programs')) !== '', 'a profile');
    await container.kill();
    assert.match(profile, /^berth-profile 1 [0-9a-f]+\n(q - [0-9a-f]{16}( [0-9a-f]{3}c?j?([FLB]h?(\*\d+)?)?)+\n)+$/);
    const hashes = hashesOf(probe(built('images/riscv64/scratch-test')));
    const found = profile.split('\n').filter((line) => hashes.includes(line.split(' ')[2]));
    assert.ok(found.some((line) => /[FL]/.test(line)), profile);
  });
});

describe('a profile in an image', { timeout: 300_000 }, () => {
  const layout = built('images/riscv64/scratch-test');
  // Pages that will be in memory, since init runs from one of them; every place in them is said to be hot.
  const everywhere = Array.from({ length: 2048 }, (_, i) => `${(2 * i).toString(16).padStart(3, '0')}${['Fh', 'L', 'B', 'cj'][i % 4]}`).join(' ');
  const pages = hashesOf(probe(layout)).slice(0, 8).map((hash, i) => `q ${i.toString(16)} ${hash} ${everywhere}\n`).join('');
  const others = {
    'a later version': 'berth-profile 2 1\nf /probe\n',
    'no profile': '\0\0\xff',
    'a mode that is none': 'berth-profile 1 fff\nf /probe\n',
    'files that are not there': 'berth-profile 1 1\nf /not/there\nq 0 0123456789abcdef 000F\nf /dev/null\nq 0 0 000F\nf /\nq 7fffffff 0 fff\n',
    'cut off': 'berth-profile 1 1\nf /probe\nq 1 0123456789abcdef 000F\nq 2',
    'of other words': 'berth-profile 1 1\nf /probe\nq q q zz p f fF ffffFFFF\nq\nf\nf /probe q 1\nqqq 12345678901234567890 0000000000000000000000\n',
    'of places that are no code': `berth-profile 1 1\nf /probe\n${pages}`,
  };
  for (const [name, text] of Object.entries(others)) {
    test(`that is none: ${name}`, async () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-profile-'));
      fs.writeFileSync(path.join(folder, 'profile'), Buffer.from(text, 'latin1'));
      execFileSync('guest/image/prepare.sh', [layout, path.join(folder, 'profile'), path.join(folder, 'image')]);
      const server = await serveFolder(path.join(folder, 'image'));
      const { container, main } = start('riscv64', server.url, { args: ['raw', ',', 'await'] });
      await until(() => main.text.includes('ready'), 'the program');
      const { engine } = await workedAhead(container);
      if (/no code/.test(name)) assert.ok(engine.regions_ahead > 300, `${engine.regions_ahead} translations ahead`);
      const session = await container.spawn({ args: ['size', ',', 'exit', '5'], cols: 33, rows: 11 });
      assert.equal(await session.exited, 5);
      await container.kill();
      server.close();
      fs.rmSync(folder, { recursive: true });
    });
  }
});

describe('a prepared image', { timeout: 300_000 }, () => {
  const arch = 'x86_64';
  let servers;
  before(async () => (servers = await Promise.all([serveFolder(built('images', arch, 'debian-gcc')), serveFolder(built('wasm/images', arch, 'debian-gcc'))])));
  after(() => servers.forEach((s) => s.close()));

  test('has programs translated while the guest waits, and they run', async (t) => {
    const ahead = [];
    for (const server of servers) {
      const { container, main } = start(arch, server.url, { args: ['bash'] });
      await until(() => main.text.includes('# '), 'the prompt');
      const { engine } = await workedAhead(container);
      ahead.push(engine.regions_ahead);
      const session = await container.spawn({ args: ['sh', '-c', "printf '#include <stdio.h>\\nint main(void) { puts(\"com\" \"piled\"); return 0; }' >/tmp/a.c && gcc /tmp/a.c -o /tmp/a && /tmp/a; ls -l /usr/lib/berth"], cols: 80, rows: 24 });
      let text = '';
      session.onData((data) => void (text += Buffer.from(data).toString('latin1')));
      await session.exited;
      assert.match(text, /compiled\r\n/);
      assert.equal(/-rw-r--r-- 1 root root +\d+ .* profile\r\n/.test(text), server === servers[1], text);
      await container.kill();
    }
    t.diagnostic(`${ahead[0]} regions ahead of the kernel, ${ahead[1]} with those of programs`);
    assert.ok(ahead[0] > 100 && ahead[1] > ahead[0] + 100, ahead.join(', '));
  });
});
