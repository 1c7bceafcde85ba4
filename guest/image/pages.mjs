// Which file a page of code is from: an image's programs by what is in their pages.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

const PAGE = 4096;
const ELF = 0x464c457f;
const rotate = (v, by) => (v << by) | (v >>> (32 - by));
const hex = (v) => (v >>> 0).toString(16).padStart(8, '0');

/** As profile_hash of src/exec/jit_profile_make.c: of 1024 words, on a host that is little-endian as both guests are. */
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

// For each container that worked. The engine keeps so much translated code (MOST_BYTES of src/exec/jit.c), and the kernel's is
// part of it: what does not fit would push out what came before. Those that the host is to optimise at once cost it the most.
const MOST_TRANSLATED = 1500;
const MOST_OPTIMISED = 500;

/** What profiles of programs (Container.getProfile) say together. */
export class Hot {
    header;
    containers = 0;
    pages = new Map(); // hash -> offset -> { called, jumped, kind, hottest, place }

    /**
     * Those of one container, taken in turn: what was found running most often is hottest. Its place among what else is hot
     * there counts, so that each container's work has its share.
     */
    add(texts) {
        const seen = new Map(); // word -> runs that ended in it
        this.containers++;
        for (const text of texts) this.#addText(text, seen);
        const inOrder = [...seen].sort(([, a], [, b]) => b - a);
        inOrder.forEach(([word], place) => (word.place = Math.min(word.place, place)));
    }

    #addText(text, seen) {
        const [header, ...lines] = text.trimEnd().split('\n');
        if (this.header !== undefined && this.header !== header) throw new Error(`profiles of two forms: "${this.header}" and "${header}"`);
        this.header = header;
        for (const line of lines) {
            const [, hash, words] = /^q - ([0-9a-f]{16})((?: [0-9a-f]{3}c?j?(?:[A-Z]h?(?:\*\d+)?)?)*)$/.exec(line) ?? [];
            if (hash === undefined) throw new Error(`the engine's profile has a line that is none of a page: ${line.slice(0, 80)}`);
            if (!this.pages.has(hash)) this.pages.set(hash, new Map());
            for (const text of words.split(' ').slice(1)) this.#addWord(this.pages.get(hash), text, seen);
        }
    }

    // What was translated twice is what it was the last time.
    #addWord(page, text, seen) {
        const [offset, letters] = [text.slice(0, 3), text.slice(3).replace(/\*.*/, '')];
        if (!page.has(offset)) page.set(offset, { called: false, jumped: false, kind: '', hottest: false, place: Infinity });
        const word = page.get(offset);
        word.called ||= letters.includes('c');
        word.jumped ||= letters.includes('j');
        const kind = /[A-Z]/.exec(letters)?.[0];
        if (kind === undefined) return;
        word.kind = kind;
        word.hottest ||= letters.endsWith('h');
        seen.set(word, Math.max(seen.get(word) ?? 0, Number(/\*(\d+)/.exec(text)?.[1] ?? 0)));
    }

    /** hash -> the words of a profile, for the `wanted` pages; of what is hot in them as much as there may be. */
    words(wanted) {
        const hot = wanted.flatMap((hash) => [...this.pages.get(hash).values()].filter((w) => w.kind !== '')).sort((a, b) => a.place - b.place);
        const translated = new Set(hot.slice(0, this.containers * MOST_TRANSLATED));
        const optimised = new Set([...translated].filter((w) => w.hottest).slice(0, this.containers * MOST_OPTIMISED));
        const flags = (w) => (w.called ? 'c' : '') + (w.jumped ? 'j' : '') + (translated.has(w) ? w.kind : '') + (optimised.has(w) ? 'h' : '');
        const line = (page) => [...page].sort(([a], [b]) => (a < b ? -1 : 1)).map(([offset, w]) => ` ${offset}${flags(w)}`).join('');
        return new Map(wanted.map((hash) => [hash, line(this.pages.get(hash))]));
    }
}

/**
 * The profile that belongs into the image: what is `hot`, with the files of the pages. A page that is in several files
 * (those of ls are in dir and vdir) is that of the one with most pages, or else the shortest name. Pages that are in none are
 * left out: of what was compiled in the container, say.
 */
export function placed(hot, pages) {
    const wanted = [...hot.pages.keys()].filter((hash) => pages.has(hash) && hot.pages.get(hash).size > 0);
    const words = hot.words(wanted);
    const uses = new Map();
    for (const hash of wanted) for (const [file] of pages.get(hash)) uses.set(file, (uses.get(file) ?? 0) + 1);
    const before = ([a], [b]) => uses.get(b) - uses.get(a) || a.length - b.length || (a < b ? -1 : 1);
    const files = new Map();
    for (const hash of wanted) {
        const [file, index] = [...pages.get(hash)].sort(before)[0];
        if (!files.has(file)) files.set(file, []);
        files.get(file).push([index, hash]);
    }
    const lines = [...files.keys()].sort().flatMap((file) => {
        const sorted = files.get(file).sort(([a], [b]) => a - b);
        return [`f ${file}`, ...sorted.map(([index, hash]) => `q ${index.toString(16)} ${hash}${words.get(hash)}`)];
    });
    return { text: [hot.header, ...lines, ''].join('\n'), files: files.size, pages: wanted.length };
}
