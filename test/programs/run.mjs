// Programs of many kinds in an x86_64 container, each with the output that is expected: test/programs/cases/NAME.sh
// runs in the image debian-programs and must print NAME.out, to the byte.
//
//   node test/programs/run.mjs [--engine interp|jit] [--long] [--accept] [NAME-PART...]
//
// interp is build/berth, one container a case; jit the translator in Node, one container for all. The first lines of
// a case may hold "# long" (left out without --long or its name) and "# seconds N" (a limit other than 120 of a free
// machine's seconds; WAIT=3 in the environment multiplies all). --accept writes what comes out where nothing is
// expected yet. The expected output of the short ones is what the image's programs print on a real processor (chroot
// into the unpacked image), not what our engines made of them.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const top = path.resolve(here, '../..');
const built = (...p) => path.join(top, 'build', ...p);
const image = built('images/x86_64/debian-programs');
const folder = path.join(here, 'cases');
const patience = Number(process.env.WAIT ?? 1) * 2;
const memory = 1024;
// Some programs want a terminal of a size, or colours, when they are given one; here nobody has one.
const command = (name) => ['sh', '-c', `cd /tmp; sh /cases/${name}.sh </dev/null 2>&1 | cat`];

function readCase(name) {
    const script = fs.readFileSync(path.join(folder, `${name}.sh`), 'utf8');
    const expected = path.join(folder, `${name}.out`);
    const note = (word) => new RegExp(`^# ${word}\\b *(.*)$`, 'm').exec(script)?.[1];
    return {
        name,
        expected,
        long: note('long') !== undefined,
        seconds: Number(note('seconds') ?? 120) * patience,
        out: fs.existsSync(expected) ? fs.readFileSync(expected, 'utf8') : '',
    };
}

// An engine is { run(case): its output, close() }.
function native() {
    return {
        run: (c) => new Promise((resolve, reject) => {
            const args = ['run', '-m', `${memory}M`, '-v', `${folder}:/cases:ro`, `oci:${image}`, ...command(c.name)];
            const p = spawn(built('berth'), args, { stdio: ['ignore', 'pipe', 'pipe'] });
            let out = '';
            const timer = setTimeout(() => p.kill('SIGKILL'), c.seconds * 1000);
            for (const stream of [p.stdout, p.stderr]) stream.setEncoding('utf8').on('data', (text) => (out += text));
            p.on('error', reject);
            p.on('close', (status, signal) => {
                clearTimeout(timer);
                resolve(signal ? `${out}[no end after ${c.seconds} s]\n` : out);
            });
        }),
        close: () => undefined,
    };
}

// What still runs, for whoever reads why a case did not end.
async function processes(container) {
    let text = Buffer.alloc(0);
    const args = ['sh', '-c', 'echo; ps -eLo pid,tid,stat,time,wchan:24,args | cut -c1-100'];
    const session = await container.spawn({ args, cols: 120, rows: 24 });
    session.onData((data) => void (text = Buffer.concat([text, data])));
    await Promise.race([session.exited, new Promise((resolve) => setTimeout(resolve, 30_000))]);
    return text;
}

async function translator() {
    const { internals, nodeWorker, serveFolder } = await import('../web/support/env.mjs');
    const server = await serveFolder(image);
    const cases = new internals.MemoryFs();
    for (const f of fs.readdirSync(folder)) await cases.writeFile(f, fs.readFileSync(path.join(folder, f)));

    // { container, running, gone: a text about its end }
    function start() {
        const log = [];
        const container = internals.startContainer({
            worker: () => nodeWorker(fs.readFileSync(built('wasm/package/worker.js'), 'utf8')),
            wasm: fs.readFileSync(built('wasm/berth.wasm')),
            arch: 'x86_64',
            kernel: fs.readFileSync(built('wasm/guest/x86_64/Image.gz')),
            initrd: fs.readFileSync(built('guest/x86_64/initramfs.cpio')),
            image: { url: server.url },
            memory: memory << 20,
            engine: 'jit',
            ...(process.env.NO && { no: process.env.NO }),
            ...(process.env.TORTURE && { torture: process.env.TORTURE }),
            volumes: [{ guest: '/cases', fs: cases, readonly: true }],
            process: { args: ['cat'], cols: 80, rows: 24 },
            onLog: (level, text) => log.push(`${level}: ${text}`),
            onMessage: (text) => log.push(text),
        });
        const machine = { container, running: true };
        machine.gone = container.stopped.then((s) => {
            machine.running = false;
            return `[the container ended: ${s.reason} ${s.message}]\n${log.slice(-9).join('\n')}\n`;
        });
        return machine;
    }

    let current = start();
    return {
        async run(c) {
            const { container, gone } = current;
            let text = Buffer.alloc(0);
            const session = await container.spawn({ args: command(c.name), cols: 80, rows: 24, env: { TERM: 'dumb' } });
            session.onData((data) => void (text = Buffer.concat([text, data])));
            let timer;
            const late = new Promise((resolve) => {
                timer = setTimeout(() => resolve(`[no end after ${c.seconds} s]\n`), c.seconds * 1000);
            });
            // undefined: the machine ended under it, and the container says why.
            const ended = session.exited.then((status) => (status === undefined ? gone : ''));
            const end = await Promise.race([ended, gone, late]);
            clearTimeout(timer);
            if (!current.running) current = start();
            else if (end !== '') {
                text = Buffer.concat([text, await processes(container)]);
                session.signal(9);
            }
            return text.toString('utf8').replaceAll('\r\n', '\n') + end;
        },
        async close() {
            if (process.env.STATS) console.log(`# ${JSON.stringify(await current.container.getStats())}`);
            await current.container.kill();
            server.close();
        },
    };
}

function difference(got, want) {
    const a = got.split('\n');
    const b = want.split('\n');
    const i = a.findIndex((line, k) => line !== b[k]);
    const at = i < 0 ? a.length : i;
    const show = (lines) => lines.slice(at, at + 12).join('\n#     ') || '(its end)';
    return `# from line ${at + 1} it printed\n#     ${show(a)}\n# but was to print\n#     ${show(b)}`;
}

const args = process.argv.slice(2);
const flag = (name) => args.includes(name) && args.splice(args.indexOf(name), 1).length > 0;
const long = flag('--long');
const accept = flag('--accept');
const at = args.indexOf('--engine');
const engineName = at < 0 ? 'interp' : args.splice(at, 2)[1];
const all = fs.readdirSync(folder).filter((f) => f.endsWith('.sh')).map((f) => readCase(path.basename(f, '.sh')));
const wanted = (c) => (args.length > 0 ? args.some((part) => c.name.includes(part)) : long || !c.long);
const chosen = all.filter(wanted);
const engine = engineName === 'jit' ? await translator() : native();
let failed = 0;
for (const c of chosen) {
    const begin = process.cpuUsage();
    const t0 = performance.now();
    const got = await engine.run(c);
    const cpu = process.cpuUsage(begin);
    const took = `${((performance.now() - t0) / 1000).toFixed(1)} s${engineName === 'jit' ? `, ${((cpu.user + cpu.system) / 1e6).toFixed(1)} s of CPU` : ''}`;
    if (accept && c.out === '') fs.writeFileSync(c.expected, got);
    const good = accept || (got === c.out && got !== '');
    if (!good) failed++;
    console.log(`${good ? 'ok' : 'not ok'} - ${engineName} ${c.name} (${took})${good ? '' : `\n${difference(got, c.out)}`}`);
}
await engine.close();
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
