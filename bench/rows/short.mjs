// The hot set's programs doing their work once, a few tenths of a second in QEMU: most of ours is finding what
// is hot, translating it, and V8's compilers. In a machine of its own, which has translated nothing yet.
import { measure } from '../lib/suite.mjs';
import { SETS } from '../lib/targets.mjs';
import { repeated } from './hot.mjs';

const ALL = SETS.short.rows.map((name) => repeated(name.replace(/-short$/, ''), 1, name));

export default {
    names: SETS.short.rows,
    rounds: 3,
    run({ rows, rounds: count, where, engine }) {
        return measure(ALL.filter((r) => rows.includes(r.name)), { image: 'busybox', count, where, engine });
    },
};
