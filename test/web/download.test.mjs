// download.ts against a real HTTP server that misbehaves.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, test } from 'node:test';
import { internals } from './support/env.mjs';

const { download, DownloadError, layoutUrl } = internals;
const body = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7) & 255));
let server;
let base;
let hits; // requests by path: [{ range }]

function answer(req, res) {
  const path = new URL(req.url, 'http://x').pathname;
  (hits[path] ??= []).push(req.headers.range);
  const n = hits[path].length;
  const from = Number(/bytes=(\d+)-/.exec(req.headers.range ?? '')?.[1] ?? 0);
  switch (path) {
    case '/good':
      return res.end(body);
    case '/html':
      res.setHeader('content-type', 'text/html; charset=utf-8');
      return res.end('<!doctype html>');
    case '/forbidden':
      res.statusCode = 403;
      return res.end();
    case '/busy': // twice
      res.statusCode = n < 3 ? 503 : 200;
      return res.end(n < 3 ? '' : body);
    case '/drops': // breaks off, understands ranges
      if (from > 0) {
        res.statusCode = 206;
        res.setHeader('content-range', `bytes ${from}-${body.length - 1}/${body.length}`);
      }
      res.setHeader('content-length', body.length - from);
      if (n >= 3) return res.end(body.subarray(from));
      return res.write(body.subarray(from, from + 50_000), () => res.destroy());
    case '/norange': // breaks off, ignores ranges
      res.setHeader('content-length', body.length);
      return n >= 2 ? res.end(body) : res.write(body.subarray(0, 70_001), () => res.destroy());
    case '/wrongrange':
      if (n === 1) {
        res.setHeader('content-length', body.length);
        return res.write(body.subarray(0, 1000), () => res.destroy());
      }
      res.statusCode = 206;
      res.setHeader('content-range', `bytes 5-${body.length - 1}/${body.length}`);
      return res.end(body.subarray(5));
    case '/short':
      return res.end(body.subarray(0, 1000).subarray(from));
    case '/stalls':
      return res.write(body.subarray(0, 10));
    default:
      res.statusCode = 404;
      return res.end('no');
  }
}

before(async () => {
  server = http.createServer(answer);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${server.address().port}`;
  hits = {};
});
after(() => {
  server.closeAllConnections();
  server.close();
});

const notes = [];
const settings = (extra = {}) => ({
  fetch: (...a) => fetch(...a),
  retries: 3,
  retryDelayMs: 1,
  stallMs: 5000,
  note: (text) => notes.push(text),
  signal: new AbortController().signal,
  ...extra,
});
async function get(path, size = body.length, extra = {}) {
  const parts = [];
  const n = await download({ url: base + path, size, what: 'layer 1 of 1' }, settings(extra), (c) =>
    parts.push(Buffer.from(c)),
  );
  const all = Buffer.concat(parts);
  assert.equal(n, all.length);
  return all;
}
const refuses = (path, pattern, size = body.length, extra = {}) =>
  assert.rejects(get(path, size, extra), (error) => {
    assert.ok(error instanceof DownloadError, String(error));
    assert.match(error.message, pattern);
    return true;
  });

test('a good answer arrives whole', async () => assert.deepEqual(await get('/good'), body));
test('an unknown size is fine', async () => assert.deepEqual(await get('/good', 0), body));
test('404 names the URL and what to check', async () => {
  await refuses('/missing', /\/missing does not exist \(HTTP 404\).*index\.json/);
  assert.equal(hits['/missing'].length, 1, 'not tried again');
});
test('403 says that it must be public', () => refuses('/forbidden', /HTTP 403.*without signing in/));
test('HTML is refused with a hint', () => refuses('/html', /web page \(HTML\) instead of layer 1 of 1/));
test('a busy server is asked again', async () => {
  assert.deepEqual(await get('/busy'), body);
  assert.equal(hits['/busy'].length, 3);
  assert.ok(notes.some((n) => /HTTP 503.*trying again/.test(n)));
});
test('a broken transfer goes on where it stopped', async () => {
  assert.deepEqual(await get('/drops'), body);
  assert.equal(hits['/drops'].length, 3);
  assert.match(hits['/drops'][1], /^bytes=\d+-$/);
});
test('a server without ranges: what is here already is skipped', async () =>
  assert.deepEqual(await get('/norange'), body));
test('another range than asked for is refused', () => refuses('/wrongrange', /another part of the file/));
test('a file that is too short is reported after the retries', async () => {
  await refuses('/short', /ended after 1000 bytes of 200000 bytes.*after 4 tries/);
});
test('a file that is too long is refused at once', async () => {
  hits['/good'] = [];
  await refuses('/good', /longer than the image says/, 1000);
  assert.equal(hits['/good'].length, 1);
});
test('a server that says nothing more does not hang us', () =>
  refuses('/stalls', /no data for 0\.05 seconds/, body.length, { stallMs: 50, retries: 1 }));
test('no server: the message says what to check', async () => {
  const closed = http.createServer();
  await new Promise((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${closed.address().port}/index.json`;
  await new Promise((resolve) => closed.close(resolve));
  await assert.rejects(
    download({ url, size: 0, what: 'x' }, settings({ retries: 1 }), () => {}),
    /could not be fetched .*after 2 tries\. Check the URL/,
  );
});
test('a CORS refusal is told apart from a dead network', async () => {
  const fake = async (_url, init) => {
    if (init.mode === 'no-cors') return new Response('');
    throw new TypeError('Failed to fetch');
  };
  await assert.rejects(
    download({ url: 'https://img.example/a', size: 0, what: 'x' }, settings({ fetch: fake }), () => {}),
    /https:\/\/img\.example does not allow this page.*Access-Control-Allow-Origin/,
  );
});
test('plain http to another machine is explained', async () => {
  const fake = async () => {
    throw new TypeError('Failed to fetch');
  };
  await assert.rejects(
    download({ url: 'http://img.example/a', size: 0, what: 'x' }, settings({ fetch: fake }), () => {}),
    /serve the image over https/,
  );
});
test('what the consumer throws comes out as it is, without retries', async () => {
  hits['/good'] = [];
  await assert.rejects(
    download({ url: `${base}/good`, size: 0, what: 'x' }, settings(), () => {
      throw new RangeError('digest');
    }),
    RangeError,
  );
  assert.equal(hits['/good'].length, 1);
});

test('layoutUrl joins paths and keeps the query', () => {
  const cases = [
    ['https://e.org/img', 'https://e.org/img/index.json'],
    ['https://e.org/img/', 'https://e.org/img/index.json'],
    ['https://e.org/img/index.json', 'https://e.org/img/index.json'],
    ['https://e.org/img?sig=a%2Fb#x', 'https://e.org/img/index.json?sig=a%2Fb'],
    ['https://e.org', 'https://e.org/index.json'],
  ];
  for (const [from, to] of cases) assert.equal(layoutUrl(from, 'index.json'), to);
  assert.throws(() => layoutUrl('ubuntu:22.04x/', 'a'), DownloadError);
  assert.throws(() => layoutUrl('not a url', 'a'), /is not a URL/);
});
