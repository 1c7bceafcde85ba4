// Flow control towards a terminal, and the text shown while things load.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { internals } from './support/env.mjs';

const { EscapeTracker, TerminalPacer, formatProgress } = internals;
const MARK = '\x1b[?6n';

test('escape sequences are recognised wherever they are cut', () => {
  const cases = [
    ['plain', true],
    ['\x1b', false],
    ['\x1b[', false],
    ['\x1b[31', false],
    ['\x1b[31m', true],
    ['\x1b(', false],
    ['\x1b(B', true],
    ['\x1b]0;title', false],
    ['\x1b]0;title\x07', true],
    ['\x1b]8;;http://x\x1b', false],
    ['\x1b]8;;http://x\x1b\\', true],
    ['\x1bPq#0\x1b\\', true],
    ['\x1bPq#0;', false],
    ['\x1bc', true],
    ['\x1b[12\x18', true],
    ['\x1b[1\x1b[2J', true],
  ];
  for (const [text, idle] of cases) {
    const whole = new EscapeTracker();
    whole.feed(text);
    assert.equal(whole.idle, idle, JSON.stringify(text));
    const single = new EscapeTracker();
    for (const c of text) single.feed(c);
    assert.equal(single.idle, idle, `${JSON.stringify(text)} one by one`);
  }
});

test('little output is never held back', async () => {
  const written = [];
  const pacer = new TerminalPacer((t) => written.push(t));
  await pacer.output('x'.repeat(1000));
  assert.deepEqual(written, ['x'.repeat(1000)]);
  assert.equal(pacer.input('abc\x1b[?1;1R'), 'abc\x1b[?1;1R', 'no report is ours');
});

test('much output waits for the report, which is taken out of the input', async () => {
  const written = [];
  const pacer = new TerminalPacer((t) => written.push(t));
  let done = false;
  const wait = pacer.output('x'.repeat(40_000)).then(() => (done = true));
  assert.equal(written.at(-1), MARK);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(done, false);
  assert.equal(pacer.input('ab\x1b[?24;80Rcd'), 'abcd');
  await wait;
  assert.equal(pacer.input('\x1b[?24;80R'), '\x1b[?24;80R', 'only one was asked for');
});

test('no report is asked for inside an escape sequence', async () => {
  const written = [];
  const pacer = new TerminalPacer((t) => written.push(t));
  await pacer.output('x'.repeat(40_000) + '\x1b[3');
  assert.ok(!written.includes(MARK));
  const wait = pacer.output('1m');
  assert.equal(written.at(-1), MARK);
  pacer.dispose();
  await wait;
});

test('progress lines', () => {
  const f = formatProgress;
  assert.equal(f({ step: 'boot', text: 'Starting Linux', done: false }), 'Starting Linux ...');
  assert.equal(
    f({ step: 'image', text: 'Image, layer 1 of 2', bytes: 12_340_000, total: 50_000_000, done: false }),
    'Image, layer 1 of 2: 12.3 of 50.0 MB (24 %) ...',
  );
  assert.equal(f({ step: 'image', text: 'Image, 2 layers', bytes: 5e7, done: true }), 'Image, 2 layers: 50.0 MB done');
});
