// Floating point and vectors of x86, in loops like the hot set's: the x87's 80 bits, packed doubles of SSE2,
// AVX2 with integers and floats.
import { measure } from '../lib/suite.mjs';
import { SETS } from '../lib/targets.mjs';
import { repeated } from './hot.mjs';

const ALL = [repeated('x87', 5), repeated('sse2', 5), { ...repeated('avx2', 1), needs: 'avx2' }];

export default {
    names: SETS.x86.rows,
    archs: ['x86_64'],
    rounds: 3,
    run({ rows, rounds: count, where, engine }) {
        return measure(ALL.filter((r) => rows.includes(r.name)), { image: 'busybox', count, where, engine });
    },
};
