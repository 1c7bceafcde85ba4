// Which machine an image layout wants, from documents as servers have them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { internals } from './support/env.mjs';

const { imageArchitecture } = internals;
const digest = (n) => `sha256:${String(n).repeat(64)}`;
const blob = (n) => `/i/blobs/sha256/${String(n).repeat(64)}`;

// A server with these documents by path; what was asked for is in `asked`.
function server(documents) {
  const asked = [];
  const get = async (url) => {
    const { pathname, search } = new URL(url);
    asked.push(pathname + search);
    const body = documents[pathname];
    return body === undefined
      ? new Response('', { status: 404 })
      : new Response(typeof body === 'string' ? body : JSON.stringify(body));
  };
  return { get, asked };
}
const ask = (documents, url = 'https://h/i/') => imageArchitecture(url, server(documents).get);
const one = (architecture) => ({
  '/i/index.json': { manifests: [{ digest: digest(1) }] },
  [blob(1)]: { config: { digest: digest(2) }, layers: [] },
  [blob(2)]: { architecture, os: 'linux' },
});

test('the configuration says it where the index does not', async () => {
  assert.equal(await ask(one('amd64')), 'x86_64');
  assert.equal(await ask(one('riscv64')), 'riscv64');
  assert.equal(await ask(one('amd64'), 'https://h/i'), 'x86_64');
});

test('platforms of an index, nested too; nothing more is read', async () => {
  const named = (a) => ({ digest: digest(9), platform: { architecture: a, os: 'linux' } });
  const s = server({ '/i/index.json': { manifests: [named('arm64'), named('amd64')] } });
  assert.equal(await imageArchitecture('https://h/i/?key=1', s.get), 'x86_64');
  assert.deepEqual(s.asked, ['/i/index.json?key=1']);
  const nested = { '/i/index.json': { manifests: [{ digest: digest(1) }] }, [blob(1)]: { manifests: [named('amd64')] } };
  assert.equal(await ask(nested), 'x86_64');
  assert.equal(await ask({ '/i/index.json': { manifests: [named('amd64'), named('riscv64')] } }), 'riscv64');
});

test('what is wrong is left to the engine', async () => {
  for (const documents of [
    {},
    { '/i/index.json': 'not JSON' },
    { '/i/index.json': 'null' },
    { '/i/index.json': { manifests: 5 } },
    { '/i/index.json': { manifests: [{ digest: '../../x' }, {}] } },
    one('s390x'),
    one(7),
  ])
    assert.equal(await ask(documents), 'riscv64');
  assert.equal(await ask({}, 'ubuntu:22.04'), 'riscv64');
  // An index that names itself ends.
  const loop = { '/i/index.json': { manifests: [{ digest: digest(1) }] }, [blob(1)]: { manifests: [{ digest: digest(1) }, { digest: digest(1) }] } };
  assert.equal(await ask(loop), 'riscv64');
});
