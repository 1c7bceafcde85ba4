// Which file a page of code is from: an image's programs by what is in their pages.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const PAGE = 4096;
const ELF = 0x464c457f;
const rotate = (v, by) => (v << by) | (v >>> (32 - by));
const hex = (v) => (v >>> 0).toString(16).padStart(8, '0');

/** As the engine has it (src/exec/jit_profile.c): of 1024 words, on a host that is little-endian as both guests are. */
export function pageHash(words) {
    let a = 1;
    let b = 2;
    for (let i = 0; i < PAGE / 4; i++) {
        a = rotate(Math.imul(a ^ words[i], 0x9e3779b1), 13);
        b = rotate(Math.imul((b + words[i]) | 0, 0x85ebca77), 17);
    }
    return hex(a) + hex(b);
}

/** The hashes of a file's pages, the last one filled up with zeros as the kernel does. */
export function hashesOf(content) {
    const whole = new Uint8Array(Math.ceil(content.length / PAGE) * PAGE);
    whole.set(content);
    const hashes = [];
    for (let at = 0; at < whole.length; at += PAGE) hashes.push(pageHash(new Int32Array(whole.buffer, at, PAGE / 4)));
    return hashes;
}

// Regular files below `root`, by path; links lead to one of them or out of the image.
function* regularFiles(root, folder = '/') {
    const entries = fs.readdirSync(path.join(root, folder), { withFileTypes: true });
    for (const e of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        const name = path.join(folder, e.name);
        if (e.isDirectory()) yield* regularFiles(root, name);
        else if (e.isFile()) yield name;
    }
}

function isProgram(file) {
    const fd = fs.openSync(file);
    try {
        const head = Buffer.alloc(4);
        return fs.readSync(fd, head) === 4 && head.readUInt32LE() === ELF;
    } finally {
        fs.closeSync(fd);
    }
}

/** hash -> [[file, index]...] of the programs and libraries below `root`. */
export function pagesBelow(root) {
    const pages = new Map();
    const seen = new Set(); // hard links: one name is enough
    for (const name of regularFiles(root)) {
        const file = path.join(root, name);
        const { ino } = fs.statSync(file);
        if (seen.has(ino) || name.includes('\n') || !isProgram(file)) continue;
        seen.add(ino);
        hashesOf(fs.readFileSync(file)).forEach((hash, index) => {
            if (!pages.has(hash)) pages.set(hash, []);
            pages.get(hash).push([name, index]);
        });
    }
    return pages;
}

/** Unpacks the image `layout` (the folder of an OCI layout, tag latest) to `folder`: its files are in the result. */
export function unpack(layout, folder) {
    const bundle = path.join(folder, 'bundle');
    execFileSync('umoci', ['--log=error', 'unpack', '--rootless', '--image', `${layout}:latest`, bundle], { stdio: ['ignore', 'ignore', 'inherit'] });
    // Whoever is not root could neither read nor remove some.
    execFileSync('chmod', ['-R', 'u+rwX', bundle]);
    return path.join(bundle, 'rootfs');
}

/**
 * The profile that belongs into the image: `text` as Container.getProfile('programs') gives it, with the files of the
 * pages. A page that is in several files (ls and dir) is that of the one with most pages. Pages that are in none are left
 * out: of what was compiled in the container, say.
 */
export function placed(text, pages) {
    const [header, ...lines] = text.trimEnd().split('\n');
    const wanted = lines.flatMap((line) => {
        const [, hash, words] = /^q - ([0-9a-f]{16})( .*)$/.exec(line) ?? [];
        if (hash === undefined) throw new Error(`the engine's profile has a line that is none of a page: ${line.slice(0, 80)}`);
        return pages.has(hash) ? [{ hash, words, places: pages.get(hash) }] : [];
    });
    const uses = new Map();
    for (const { places } of wanted) for (const [file] of places) uses.set(file, (uses.get(file) ?? 0) + 1);
    const files = new Map();
    for (const { hash, words, places } of wanted) {
        const [file, index] = places.reduce((best, p) => (uses.get(p[0]) > uses.get(best[0]) ? p : best));
        if (!files.has(file)) files.set(file, new Map());
        // Twice in memory, where a page was read again or copied.
        const had = files.get(file).get(index);
        if (had === undefined || had.words.length < words.length) files.get(file).set(index, { hash, words });
    }
    const out = [header];
    for (const file of [...files.keys()].sort()) {
        out.push(`f ${file}`);
        const sorted = [...files.get(file)].sort(([a], [b]) => a - b);
        for (const [index, { hash, words }] of sorted) out.push(`q ${index.toString(16)} ${hash}${words}`);
    }
    return { text: out.join('\n') + '\n', files: files.size, pages: out.length - 1 - files.size, hot: lines.length };
}
