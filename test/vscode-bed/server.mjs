// Serves the VS Code bed on loopback, with the origins that vscode.dev has:
//
//   http://localhost:P              the workbench page, and /build (its files)
//   http://v--<hash>.localhost:P    the extension host's frame and workers (a name the workbench makes)
//   http://localhost:E              extension files (/ext/NAME/...) and the demo workspace (/workspace/...)
//   http://localhost:I              OCI image layouts (build/wasm/images), with CORS, as any static file server would
//   http://localhost:W              the plain demo page (build/web)
//
// As a program:  node test/vscode-bed/server.mjs [--port P] [--arch x86_64|riscv64]
//                (E, I, W = P+1...; prints the URLs, keeps serving)
// As a module:   startBed({ port, arch, extensions, ... }) -> { url, images, image, demoPage, close() }
//                (port 0: any free ones; image: the demo's, for arch)
//
// The page takes a few query parameters: vscode-coi=on (cross-origin isolation), folder=/demo,
// settings=<JSON of settings> (as defaults, for tests).
import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const top = path.resolve(here, '../..');

const TYPES = {
    '.css': 'text/css', '.html': 'text/html', '.ico': 'image/x-icon', '.js': 'text/javascript', '.json': 'application/json',
    '.map': 'application/json', '.md': 'text/plain', '.mjs': 'text/javascript', '.mp3': 'audio/mpeg', '.png': 'image/png',
    '.svg': 'image/svg+xml', '.ttf': 'font/ttf', '.wasm': 'application/wasm', '.woff2': 'font/woff2',
};

const DEFAULT_SETTINGS = {
    'workbench.startupEditor': 'none',
    'workbench.secondarySideBar.defaultVisibility': 'hidden',
    'security.workspace.trust.enabled': false,
    'chat.disableAIFeatures': true,
    'telemetry.telemetryLevel': 'off',
};

function fail(res, status, text) {
    res.writeHead(status, { 'Content-Type': 'text/plain' });
    res.end(`${text}\n`);
}

// One byte range, as clients of blobs ask for it; undefined when there is none or it makes no sense.
function byteRange(header, size) {
    const m = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
    if (!m || (m[1] === '' && m[2] === '')) return undefined;
    const start = m[1] === '' ? Math.max(0, size - Number(m[2])) : Number(m[1]);
    const end = m[1] === '' || m[2] === '' ? size - 1 : Math.min(Number(m[2]), size - 1);
    return start <= end ? { start, end } : undefined;
}

async function sendFile(req, res, root, relative, cacheControl = 'no-cache') {
    const file = path.join(root, path.normalize('/' + relative));
    const st = await fs.stat(file).catch(() => undefined);
    if (!st?.isFile()) return fail(res, 404, `no such file: ${relative}`);
    const headers = { 'Content-Type': TYPES[path.extname(file)] ?? 'application/octet-stream', 'Cache-Control': cacheControl, 'Accept-Ranges': 'bytes' };
    const range = byteRange(req.headers.range, st.size);
    headers['Content-Length'] = range ? range.end - range.start + 1 : st.size;
    if (range) headers['Content-Range'] = `bytes ${range.start}-${range.end}/${st.size}`;
    res.writeHead(range ? 206 : 200, headers);
    if (req.method === 'HEAD') return res.end();
    createReadStream(file, range).on('error', () => res.destroy()).pipe(res);
}

async function listFiles(root, prefix = '') {
    const out = [];
    for (const e of await fs.readdir(path.join(root, prefix), { withFileTypes: true })) {
        const rel = path.posix.join(prefix, e.name);
        if (e.isDirectory()) out.push(...(await listFiles(root, rel)));
        else if (e.isFile()) out.push({ path: rel });
    }
    return out;
}

// What goes into an HTML attribute.
function attribute(value) {
    return JSON.stringify(value).replace(/[&"<>]/g, (c) => `&#${c.charCodeAt(0)};`);
}

class Bed {
    constructor(options) {
        this.bed = options.bed ?? path.join(top, 'build/vscode-bed');
        this.imagesDir = options.images ?? path.join(top, 'build/wasm/images');
        this.webDir = options.web ?? path.join(top, 'build/web');
        this.workspaceDir = options.workspace ?? path.join(top, 'test/e2e/workspace');
        // name -> folder; the page loads all of them
        this.extensions = options.extensions ?? { demofs: path.join(here, 'demofs'), berth: path.join(top, 'build/extension') };
        this.arch = options.arch ?? 'x86_64';
        this.servers = [];
    }

    // The image that the workspace's settings name.
    get image() {
        return `${this.images}/${this.arch}/debian-gcc`;
    }

    async start(port) {
        const read = async (f) => JSON.parse(await fs.readFile(path.join(this.bed, f), 'utf8'));
        this.info = await read('bed.json').catch(() => {
            throw new Error(`${this.bed} holds no workbench; run: node test/vscode-bed/build.mjs`);
        });
        this.builtin = await read('builtin.json');
        const serve = [(q, s) => this.page(q, s), (q, s) => this.files(q, s), (q, s) => this.imageFile(q, s), (q, s) => this.web(q, s)];
        const ports = [];
        for (const [i, handle] of serve.entries()) ports.push(await this.listen(handle, port ? port + i : 0));
        [this.url, this.extensionOrigin, this.images, this.demoPage] = ports.map((p) => `http://localhost:${p}`);
        this.frames = `http://{{uuid}}.localhost:${ports[0]}/build`;
    }

    listen(handle, port) {
        const server = http.createServer((req, res) => {
            Promise.resolve(handle(req, res)).catch((e) => (res.headersSent ? res.destroy() : fail(res, 500, String(e))));
        });
        this.servers.push(server);
        return new Promise((resolve, reject) => {
            server.once('error', reject);
            // Chromium resolves localhost to both; ::1 is not there on every machine.
            server.listen(port, '127.0.0.1', () => resolve(server.address().port));
        });
    }

    // The workbench and, under another host name, the extension host.
    page(req, res) {
        const url = new URL(req.url, this.url);
        // The workbench passes 1 (opener), 2 (embedder), 3 (both) on to its frames and workers.
        const coi = url.searchParams.get('vscode-coi');
        const on = coi === '' || coi === 'on' || coi === '3';
        if (on || coi === '1') res.setHeader('Cross-Origin-Opener-Policy', 'same-origin');
        if (on || coi === '2') res.setHeader('Cross-Origin-Embedder-Policy', 'require-corp');
        res.setHeader('Cross-Origin-Resource-Policy', 'cross-origin');
        res.setHeader('Access-Control-Allow-Origin', '*');
        if (url.pathname.startsWith('/build/')) {
            const relative = decodeURIComponent(url.pathname.slice('/build/'.length));
            const root = relative.startsWith('node_modules/') ? this.bed : path.join(this.bed, 'workbench');
            return sendFile(req, res, root, relative, 'max-age=3600');
        }
        if (url.pathname !== '/') return fail(res, 404, 'nothing here');
        res.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-cache' });
        res.end(this.html(url.searchParams));
    }

    // Extension files get CORS and nothing else: under isolation, a marketplace's files look the same.
    async files(req, res) {
        const pathname = decodeURIComponent(new URL(req.url, this.extensionOrigin).pathname);
        res.setHeader('Access-Control-Allow-Origin', '*');
        const ext = /^\/ext\/([\w-]+)\/(.+)$/.exec(pathname);
        if (ext) {
            const root = Object.hasOwn(this.extensions, ext[1]) ? this.extensions[ext[1]] : undefined;
            return root ? sendFile(req, res, root, ext[2]) : fail(res, 404, 'no such extension');
        }
        if (pathname === '/workspace/index.json') {
            res.writeHead(200, { 'Content-Type': 'application/json' });
            return res.end(JSON.stringify(await listFiles(this.workspaceDir)));
        }
        const file = /^\/workspace\/files\/(.+)$/.exec(pathname)?.[1];
        if (file === '.vscode/settings.json') {
            // The only file that must know a port.
            const text = await fs.readFile(path.join(this.workspaceDir, file), 'utf8');
            res.writeHead(200, { 'Content-Type': 'application/json' });
            return res.end(text.replaceAll('{{image}}', this.image));
        }
        return file ? sendFile(req, res, this.workspaceDir, file) : fail(res, 404, 'nothing here');
    }

    imageFile(req, res) {
        res.setHeader('Access-Control-Allow-Origin', '*');
        res.setHeader('Access-Control-Expose-Headers', 'Content-Length, Content-Range, Accept-Ranges');
        if (req.method === 'OPTIONS') {
            res.writeHead(204, { 'Access-Control-Allow-Headers': 'Range', 'Access-Control-Allow-Methods': 'GET, HEAD' });
            return res.end();
        }
        return sendFile(req, res, this.imagesDir, decodeURIComponent(new URL(req.url, this.images).pathname));
    }

    web(req, res) {
        const pathname = decodeURIComponent(new URL(req.url, this.demoPage).pathname);
        return sendFile(req, res, this.webDir, pathname === '/' ? 'index.html' : pathname);
    }

    config(query) {
        const origin = new URL(this.extensionOrigin);
        const folder = query.get('folder') ?? '/demo';
        return {
            productConfiguration: {
                // Without all of these the extension host silently falls back to the page's own origin.
                commit: this.info.commit,
                quality: this.info.quality,
                webEndpointUrlTemplate: this.frames,
                webviewContentExternalBaseUrlTemplate: `${this.frames}/out/vs/workbench/contrib/webview/browser/pre/`,
                enableTelemetry: false,
                extensionEnabledApiProposals: {},
            },
            additionalBuiltinExtensions: Object.keys(this.extensions).map((name) => ({ scheme: 'http', authority: origin.host, path: `/ext/${name}` })),
            folderUri: { scheme: 'demofs', authority: '', path: folder },
            configurationDefaults: { ...DEFAULT_SETTINGS, ...JSON.parse(query.get('settings') ?? '{}') },
            callbackRoute: '/callback',
            // code-server's workbench insists on these.
            isEnabledFileDownloads: true,
            isEnabledFileUploads: true,
            isEnabledCoderGettingStarted: false,
        };
    }

    html(query) {
        const out = `${this.url}/build/out`;
        return `<!DOCTYPE html>
<html><head><meta charset="utf-8"><title>Berth demo</title>
<meta id="vscode-workbench-web-configuration" data-settings="${attribute(this.config(query))}">
<meta id="vscode-workbench-builtin-extensions" data-settings="${attribute(this.builtin)}">
<link rel="stylesheet" href="${out}/vs/code/browser/workbench/workbench.css">
</head><body aria-label=""></body>
<script>performance.mark('code/didStartRenderer'); globalThis._VSCODE_FILE_ROOT = '${out}/';</script>
<script type="module" src="${out}/nls.messages.js"></script>
<script type="module" src="${out}/vs/code/browser/workbench/workbench.js"></script>
</html>
`;
    }

    async close() {
        for (const s of this.servers) {
            s.closeAllConnections?.();
            await new Promise((r) => s.close(r));
        }
    }
}

export async function startBed({ port = 0, ...options } = {}) {
    const bed = new Bed(options);
    await bed.start(port);
    return bed;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const option = (name, otherwise) => {
        const at = process.argv.indexOf(name);
        return at < 0 ? otherwise : process.argv[at + 1];
    };
    const port = Number(option('--port', 8170));
    try {
        const bed = await startBed({ port, arch: option('--arch', 'x86_64') });
        console.log(`VS Code ${bed.info.version} with the demo workspace: ${bed.url}/`);
        console.log(`  with cross-origin isolation:  ${bed.url}/?vscode-coi=on`);
        console.log(`  the plain page:               ${bed.demoPage}/?image=${bed.image}`);
        console.log('In VS Code: F1, "Run Container On Browser". Ctrl-C here stops serving.');
    } catch (e) {
        const hint = e.code === 'EADDRINUSE' ? `port ${e.port} is in use; choose others with: make demo PORT=9000` : e.message;
        console.error(`server: ${hint}`);
        process.exitCode = 1;
    }
}
