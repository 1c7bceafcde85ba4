// Ours and v86 in the same browser with the same programs, compiled for i386: what v86 can run. Ours has them
// in an x86_64 guest; v86's kernel is the same Linux for 32 bits, without what it has no devices for.
import { CHROMIUM } from '../lib/paths.mjs';
import { measure } from '../lib/suite.mjs';
import { SETS } from '../lib/targets.mjs';
import { V86, V86Guest } from '../lib/v86.mjs';

// How often the hot ones do their work.
const TIMES = { coremark: 4, 'sort-chase': 4, sha256: 4, strings: 5, fib: 5, bytecode: 5, mandelbrot: 1, matrix: 3 };

const row = (program, args, more = {}) => ({ name: `v86-${program}`, command: `./${program} ${args}`, programs: [program], printsTime: true, ...more });
const forkExec = (kind, args, more = []) => row(`fork-exec-${kind}`, '', { command: `./fork-exec ${args} ./nothing-${kind}`, programs: ['fork-exec', `nothing-${kind}`, ...more] });
// Debian's tools are too much for an initramfs. Busybox's sort is slow: fewer lines.
const busybox = (name, prepare, command, output) => ({
    name: `v86-${name}`,
    prepare: `cd /tmp/bench; ${prepare}`,
    command,
    check: `cd /tmp/bench; ./busybox md5sum <${output}`,
    programs: ['busybox', 'gentext'],
});

const ALL = [
    ...Object.entries(TIMES).map(([program, times]) => row(program, times)),
    row('calls-2000', ''),
    row('cold-50000', ''),
    forkExec('static', 100),
    { ...forkExec('dynamic', 40, ['ld-linux.so.2', 'libc.so.6']), prepare: 'cd /tmp/bench; mkdir -p /lib && cp ld-linux.so.2 libc.so.6 /lib' },
    row('syscalls', ''),
    row('pipe-ping-pong', ''),
    row('page-faults', ''),
    busybox('gzip', './gentext text >text', './busybox gzip -c text >text.gz', 'text.gz'),
    busybox('sort-lines', './gentext numbers | ./busybox head -n 40000 >numbers', './busybox sort -n numbers >sorted', 'sorted'),
];

const known = [...SETS['v86-hot'].rows, ...SETS['v86-cold'].rows];
const missing = known.filter((name) => name !== 'v86-boot' && !ALL.some((r) => r.name === name));
if (missing.length > 0) throw new Error(`rows/v86.mjs lacks ${missing.join(', ')}`);

export default {
    names: ALL.map((r) => r.name),
    archs: ['x86_64'],
    rounds: 2,
    run({ rows, rounds: count, where, engine }) {
        const peer = { name: V86, start: (browser) => V86Guest.start(browser) };
        const options = { image: 'busybox', count, where, engine, peer, programArch: 'i386', places: [CHROMIUM] };
        return measure(ALL.filter((r) => rows.includes(r.name)), options);
    },
};
