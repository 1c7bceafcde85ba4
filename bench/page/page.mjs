// A container in a page without anything else, for bench/lib/chromium.mjs to drive: no terminal, no
// editor, the guest's shell on pipes.
import { fetchBytes, fetchText, MemoryFs, startContainer } from '/build/wasm/package/index.js';
import { READY, Shell } from '/bench/lib/shell.mjs';

async function options({ arch, memory, image, initrd, engine }) {
    return {
        worker: await fetchText('/build/wasm/package/worker.js'),
        wasm: fetchBytes('/build/wasm/berth.wasm'),
        kernel: fetchBytes(`/build/wasm/guest/${arch}/Image.gz`),
        initrd: fetchBytes(initrd ?? `/build/wasm/guest/${arch}/initramfs.gz`),
        image: { url: new URL(`${image}/`, location.href).toString() },
        arch,
        memory,
        engine,
        onLog: (level, text) => console.log(`[${level}] ${text}`),
        onMessage: (text) => console.log(text),
    };
}

let container;
let shell;

/** Boots an image with a folder of programs at /bench and waits for its shell. */
async function start(what) {
    const fs = new MemoryFs();
    for (const name of what.programs) await fs.writeFile(name, await fetchBytes(`/build/bench/${what.programArch}/programs/${name}`));
    container = startContainer({
        ...(await options(what)),
        volumes: [{ guest: '/bench', fs }],
        // The package always gives a terminal; the shell shall not know. What is typed before `stty` is lost.
        process: { args: ['sh', '-c', `stty raw -echo && echo "${READY}0" && sh 2>&1 | cat`] },
    });
    shell = new Shell((text) => container.main.write(text));
    container.main.onData((data) => shell.feed(data));
    void container.stopped.then((end) => shell.end(`the machine stopped (${end.reason}) ${end.message}`));
    await shell.ready();
    await shell.run('true');
}

/** Seconds from the machine's start until `mark` is on its console. */
async function boot(what, mark) {
    const o = await options(what);
    return new Promise((resolve, reject) => {
        let begin;
        let console = '';
        const decoder = new TextDecoder();
        const onProgress = (p) => {
            if (p.step === 'boot' && !p.done) begin = performance.now();
        };
        const onConsole = (data) => {
            console += decoder.decode(data, { stream: true });
            if (!console.includes(mark)) return;
            resolve((performance.now() - begin) / 1000);
            void container.kill();
        };
        container = startContainer({ ...o, onProgress, onConsole });
        void container.stopped.then((end) => reject(new Error(`no "${mark}": ${end.message}\n${console}`)));
    });
}

globalThis.bench = {
    start,
    boot,
    run: (command) => shell.run(command),
    stats: () => container.getStats(),
    stop: () => container.kill(),
};
