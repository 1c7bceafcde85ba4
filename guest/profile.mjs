// A container that works by itself in this Node.js, for profiles of what gets hot in it (src/exec/jit_profile.c).
// Needs the engine, the worker and the tests' package to be built.
import fs from 'node:fs';
import path from 'node:path';
import { built, internals, nodeWorker, serveFolder } from '../test/web/support/env.mjs';

const TERMINAL = { cols: 80, rows: 24 };
const SHOWN = 4000; // of what a command that failed has written: its end
const KEY_MS = 30; // between keys: who types is slower, and each arrives by itself all the same
const TYPING_MS = 60_000; // by then a typed session has ended

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Guest {
    constructor(container) {
        this.container = container;
    }

    /** Has a shell execute it. */
    run(command) {
        return this.#session(command, ['sh', '-c', command]);
    }

    /** Types lines to an interactive shell, bash where there is one; the last line must end it. */
    type(lines) {
        const keys = async (session) => {
            for (const line of lines) {
                // What is typed before a program has set up the terminal is echoed and taken as well, but draws less.
                await sleep(10 * KEY_MS);
                for (const key of line) {
                    session.write(key);
                    await sleep(KEY_MS);
                }
            }
        };
        return this.#session(`typed: ${JSON.stringify(lines)}`, ['sh', '-c', 'exec "$(command -v bash || command -v sh)" -i'], keys);
    }

    async #session(name, args, then) {
        let text = '';
        const session = await this.container.spawn({ args, env: { TERM: 'xterm' }, ...TERMINAL });
        session.onData((data) => void (text += Buffer.from(data).toString()));
        const late = then && setTimeout(() => session.dispose(), TYPING_MS);
        await then?.(session);
        const status = await session.exited;
        clearTimeout(late);
        if (status !== 0) throw new Error(`in the guest: ${name}: status ${status}\n${text.slice(-SHOWN)}`);
    }

    /** What is hot now in programs, as Container.getProfile says it. */
    programsProfile() {
        return this.container.getProfile('programs');
    }

    /** The same of the kernel, as soon as that waits. */
    async kernelProfile() {
        for (let tries = 0; tries < 100; tries++) {
            await sleep(50);
            const text = await this.container.getProfile();
            if (text !== '') return text;
        }
        throw new Error('the guest is never idle');
    }
}

async function folder(files) {
    const made = new internals.MemoryFs();
    for (const [name, content] of Object.entries(files)) {
        const parts = name.split('/');
        for (let i = 1; i < parts.length; i++) await made.createDirectory(parts.slice(0, i).join('/')).catch(() => undefined);
        await made.writeFile(name, content);
    }
    return made;
}

/**
 * What work(guest) returns, guest being a container of `image`, the folder of an OCI layout, with `files` (content by
 * path) in /work. Fails if that takes longer than `limit` seconds.
 */
export async function workInContainer({ arch, kernel, image, memory = 512 << 20, files = {}, limit }, work) {
    const server = await serveFolder(path.resolve(image));
    const container = internals.startContainer({
        worker: () => nodeWorker(fs.readFileSync(built('wasm/package/worker.js'), 'utf8')),
        wasm: fs.readFileSync(built('wasm/berth.wasm')),
        arch,
        kernel,
        initrd: fs.readFileSync(built('guest', arch, 'initramfs.cpio')),
        image: { url: server.url },
        memory,
        volumes: [{ guest: '/work', fs: await folder(files) }],
        process: { args: ['cat'], ...TERMINAL },
        onLog: (level, text) => void (level === 'error' && console.error(text)),
    });
    const stopped = container.stopped.then((s) => {
        throw new Error(`the guest ended: ${s.reason} ${s.message}`);
    });
    let timer;
    const late = new Promise((_, reject) => {
        const fail = () => reject(new Error(`the guest has not done its work in ${limit} s: see what it does with make demo`));
        timer = setTimeout(fail, limit * 1000);
    });
    try {
        return await Promise.race([work(new Guest(container)), stopped, late]);
    } finally {
        clearTimeout(timer);
        stopped.catch(() => undefined);
        await container.kill();
        server.close();
    }
}
