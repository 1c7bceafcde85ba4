// Makes the VS Code web workbench that the demo and the end-to-end tests run: static files, no server
// side, from pinned npm packages.
//
//   node test/vscode-bed/build.mjs        builds into $CACHE/vscode-bed/<hash>, links build/vscode-bed there
//
// The workbench is the one inside the npm package code-server. code-server forces a remote server on it;
// four edits take that out, so that it behaves as on vscode.dev: everything in the browser, extensions in
// a web worker of another origin, with upstream's content security policy. Every edit must match exactly
// once, so a different version fails here and not in a test.
//
// The result: workbench/ (served as /build), builtin.json (built-in extensions for the page), bed.json
// (version, commit, quality), node_modules/ (for the workbench, and playwright-core for the tests).
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const top = path.resolve(here, '../..');
const cache = process.env.CACHE ?? path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'berth');

// Built-in extensions worth their load time: themes, and grammars for what the demo workspace holds.
const BUILTIN = ['theme-defaults', 'theme-seti', 'cpp', 'javascript', 'json', 'make', 'markdown-basics', 'python', 'shellscript'];

const EDITS = [
    {
        why: 'no remote server: the workbench is all there is',
        find: ',remoteAuthority:location.host}',
        put: '}',
    },
    {
        why: 'no endpoint that mints a key for secrets',
        find: '(window.location.pathname+"/mint-key").replace(/\\/\\/+/g,"/")',
        put: '""',
    },
    {
        why: 'user data lives in the browser',
        find: 'return ze(P.file(this.userDataPath).with({scheme:J.vscodeRemote}),"User")',
        put: 'return P.file("/User").with({scheme:J.vscodeUserData})',
    },
    {
        why: 'built-in extensions are listed by the page; most of those baked in have no web entry in this package',
        find: /if\(\w+\.isBuilt\)(\w+)=\[\{extensionPath:"bat"/g,
        put: 'if(!1)$1=[{extensionPath:"bat"',
    },
];

function readJson(file) {
    return JSON.parse(fs.readFileSync(file, 'utf8'));
}

function inputsHash() {
    const h = createHash('sha256');
    for (const f of ['build.mjs', 'package.json', 'package-lock.json']) h.update(fs.readFileSync(path.join(here, f)));
    return h.digest('hex').slice(0, 16);
}

// The package's tarball, checked against the integrity we pin.
function fetchPackage(spec, integrity, dir) {
    const name = execFileSync('npm', ['pack', '--silent', '--pack-destination', dir, spec], { encoding: 'utf8' }).trim().split('\n').pop();
    const file = path.join(dir, name);
    const got = 'sha512-' + createHash('sha512').update(fs.readFileSync(file)).digest('base64');
    if (got !== integrity) throw new Error(`${spec}: the registry's file has integrity ${got}, expected ${integrity}`);
    return file;
}

// Our lock file must name what the workbench was made with.
function checkVersions(shrinkwrap, dependencies) {
    for (const [name, version] of Object.entries(dependencies)) {
        const theirs = shrinkwrap.packages[`node_modules/${name}`]?.version;
        if (theirs !== undefined && theirs !== version)
            throw new Error(`package.json has ${name} ${version}, the workbench wants ${theirs}`);
    }
    const loaded = /^node_modules\/(@xterm\/[\w-]+|vscode-(oniguruma|textmate))$/;
    for (const key of Object.keys(shrinkwrap.packages)) {
        const name = key.slice('node_modules/'.length);
        if (loaded.test(key) && name !== '@xterm/headless' && !(name in dependencies))
            throw new Error(`the workbench loads ${name}; add it to test/vscode-bed/package.json`);
    }
}

function applyEdits(file) {
    let text = fs.readFileSync(file, 'utf8');
    for (const { why, find, put } of EDITS) {
        const hits = typeof find === 'string' ? text.split(find).length - 1 : [...text.matchAll(find)].length;
        if (hits !== 1) throw new Error(`edit "${why}" matches ${hits} times in ${file}; this code-server version needs another`);
        text = typeof find === 'string' ? text.replace(find, () => put) : text.replace(find, put);
    }
    fs.writeFileSync(file, text);
}

function builtinExtensions(dir) {
    return BUILTIN.map((name) => {
        const nls = path.join(dir, name, 'package.nls.json');
        return {
            extensionPath: name,
            packageJSON: readJson(path.join(dir, name, 'package.json')),
            packageNLS: fs.existsSync(nls) ? readJson(nls) : undefined,
        };
    });
}

function build(dest) {
    const pkg = readJson(path.join(here, 'package.json'));
    fs.mkdirSync(path.dirname(dest), { recursive: true });
    const tmp = fs.mkdtempSync(dest + '.tmp-');
    try {
        console.log(`vscode-bed: fetching ${pkg.bed.package}`);
        const tarball = fetchPackage(pkg.bed.package, pkg.bed.integrity, tmp);
        const vs = path.join(tmp, 'vscode');
        fs.mkdirSync(vs);
        const wanted = ['out', 'product.json', 'npm-shrinkwrap.json', ...BUILTIN.map((b) => `extensions/${b}`)];
        // Server-side code and source maps stay out.
        execFileSync('tar', ['xzf', tarball, '-C', vs, '--strip-components=3', '--exclude=*.map', '--exclude=*/out/server-*',
            '--exclude=*/out/vs/platform/*', '--exclude=*/node_modules/*', ...wanted.map((w) => `package/lib/vscode/${w}`)]);
        fs.rmSync(tarball);
        checkVersions(readJson(path.join(vs, 'npm-shrinkwrap.json')), pkg.dependencies);
        applyEdits(path.join(vs, 'out/vs/code/browser/workbench/workbench.js'));

        console.log('vscode-bed: fetching the modules of the workbench');
        for (const f of ['package.json', 'package-lock.json']) fs.copyFileSync(path.join(here, f), path.join(tmp, f));
        execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--silent'], { cwd: tmp, stdio: ['ignore', 'inherit', 'inherit'] });

        fs.mkdirSync(path.join(tmp, 'workbench'));
        for (const d of ['out', 'extensions']) fs.renameSync(path.join(vs, d), path.join(tmp, 'workbench', d));
        const product = readJson(path.join(vs, 'product.json'));
        fs.writeFileSync(path.join(tmp, 'builtin.json'), JSON.stringify(builtinExtensions(path.join(tmp, 'workbench/extensions'))));
        fs.writeFileSync(path.join(tmp, 'bed.json'), JSON.stringify({ version: product.version, commit: product.commit, quality: product.quality }));
        fs.rmSync(vs, { recursive: true });
        fs.renameSync(tmp, dest);
    } catch (e) {
        fs.rmSync(tmp, { recursive: true, force: true });
        throw e;
    }
}

const dest = path.join(cache, 'vscode-bed', inputsHash());
if (!fs.existsSync(path.join(dest, 'bed.json'))) build(dest);
const link = path.join(top, 'build/vscode-bed');
fs.mkdirSync(path.dirname(link), { recursive: true });
fs.rmSync(link, { force: true });
fs.symlinkSync(dest, link);
console.log(`vscode-bed: VS Code ${readJson(path.join(dest, 'bed.json')).version}`);
