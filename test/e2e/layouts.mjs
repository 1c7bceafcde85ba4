// Small OCI image layouts, right and wrong ones, served with CORS from memory.
import { createHash } from 'node:crypto';
import http from 'node:http';
import { gzipSync } from 'node:zlib';

const INDEX = 'application/vnd.oci.image.index.v1+json';
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const LAYER = 'application/vnd.oci.image.layer.v1.tar+gzip';

function sha256(data) {
    return createHash('sha256').update(data).digest('hex');
}

// One entry of a ustar archive.
export function tarEntry(name, content = '', { type = '0', link = '', mode = 0o644 } = {}) {
    const body = Buffer.from(content);
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write(mode.toString(8).padStart(7, '0'), 100);
    header.write('0000000', 108);
    header.write('0000000', 116);
    header.write(body.length.toString(8).padStart(11, '0'), 124);
    header.write('00000000000', 136);
    header.fill(' ', 148, 156);
    header.write(type, 156);
    header.write(link, 157, 100);
    header.write('ustar\x0000', 257, 'latin1');
    header.write(header.reduce((a, b) => a + b, 0).toString(8).padStart(6, '0') + '\0 ', 148);
    return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512)]);
}

// files: path -> Buffer, and the digests of the parts by name.
export function makeLayout({ architecture = 'riscv64', entries = [tarEntry('etc/motd', 'hello\n')], cmd = ['/bin/sh'] } = {}) {
    const files = new Map();
    const digests = {};
    const add = (name, data) => {
        const digest = sha256(data);
        files.set(`blobs/sha256/${digest}`, data);
        digests[name] = digest;
        return { digest: `sha256:${digest}`, size: data.length };
    };
    const json = (value) => Buffer.from(JSON.stringify(value));
    const tar = Buffer.concat([...entries, Buffer.alloc(1024)]);
    const layer = { mediaType: LAYER, ...add('layer', gzipSync(tar)) };
    const config = {
        mediaType: CONFIG,
        ...add('config', json({ architecture, os: 'linux', config: { Cmd: cmd }, rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(tar)}`] } })),
    };
    const manifest = add('manifest', json({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [layer] }));
    files.set('index.json', json({
        schemaVersion: 2,
        mediaType: INDEX,
        manifests: [{ mediaType: MANIFEST, ...manifest, platform: { architecture, os: 'linux' }, annotations: { 'org.opencontainers.image.ref.name': 'latest' } }],
    }));
    files.set('oci-layout', json({ imageLayoutVersion: '1.0.0' }));
    return { files, digests };
}

// Serves sites: name -> (path below /name/) => Buffer | { status, type, body, cors } | undefined (404).
export async function serveSites(sites) {
    const server = http.createServer((req, res) => {
        const m = /^\/([\w-]+)\/(.*)$/.exec(new URL(req.url, 'http://x').pathname);
        let answer = m && Object.hasOwn(sites, m[1]) ? sites[m[1]](m[2]) : undefined;
        if (Buffer.isBuffer(answer)) answer = { body: answer };
        const { status = answer ? 200 : 404, type = 'application/octet-stream', body = 'not found\n', cors = true } = answer ?? {};
        res.writeHead(status, { 'Content-Type': type, ...(cors ? { 'Access-Control-Allow-Origin': '*' } : {}) });
        res.end(req.method === 'HEAD' ? undefined : body);
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
        url: (name) => `http://localhost:${server.address().port}/${name}`,
        close: () => {
            server.closeAllConnections?.();
            return new Promise((resolve) => server.close(resolve));
        },
    };
}
