// The cold and system set, but boot: code that runs once or seldom, the kernel, and programs as people run
// them, in a Debian with gcc and python3. bench/README.md says what each stands for.
import { SETS } from '../lib/targets.mjs';
import { measure } from '../lib/suite.mjs';

const SOURCE = String.raw`#include <stdio.h>\nint main(void) { puts("Hello"); return 0; }\n`;
const COMPILE = 'gcc hello.c -o hello && ./hello';

const program = (name, args = '', more = []) => ({ name, command: `./${more[0] ?? name} ${args}`, programs: more.length > 0 ? more : [name], printsTime: true });

// In this order: first what is to find nothing of the image in the guest's memory yet.
const ALL = [
    { name: 'gcc-hello', prepare: `printf '${SOURCE}' >/tmp/bench/hello.c`, command: COMPILE },
    { name: 'gcc-hello-warm', command: COMPILE },
    { name: 'python-start', command: 'python3 -c pass' },
    // Without the profile that only the image for browsers has.
    { name: 'find-usr', command: 'find /usr >found', check: "grep -vc '^/usr/lib/berth' /tmp/bench/found" },
    { name: 'python-loop', command: 'python3 pyloop.py', programs: ['pyloop.py'], printsTime: true },
    program('calls-2000'),
    program('cold-50000'),
    program('fork-exec-static', '100 ./nothing-static', ['fork-exec', 'nothing-static']),
    program('fork-exec-dynamic', '40 ./nothing-dynamic', ['fork-exec', 'nothing-dynamic']),
    program('syscalls'),
    program('pipe-ping-pong'),
    program('page-faults'),
    { name: 'gzip', prepare: '/tmp/bench/gentext text >/tmp/bench/text', programs: ['gentext'], command: 'gzip -nc text >text.gz', check: 'cksum </tmp/bench/text.gz' },
    { name: 'sort-lines', prepare: '/tmp/bench/gentext numbers >/tmp/bench/numbers', programs: ['gentext'], command: 'sort -n numbers >sorted', check: 'cksum </tmp/bench/sorted' },
];

// Each row of the set is here or, boot, in a file of its own.
const missing = SETS.cold.rows.filter((name) => name !== 'boot' && !ALL.some((r) => r.name === name));
if (missing.length > 0) throw new Error(`rows/cold.mjs lacks ${missing.join(', ')}`);

export default {
    names: ALL.map((r) => r.name),
    rounds: 3,
    run({ rows, rounds: count, where, engine }) {
        return measure(ALL.filter((r) => rows.includes(r.name)), { image: 'debian-bench', count, where, engine });
    },
};
