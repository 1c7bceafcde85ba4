// The translator in lock step (support/lockstep.mjs): x86_64, and its self-checking system tests.
import { test } from 'node:test';
import { boot, linux, randomPrograms } from './support/lockstep.mjs';
import { build } from './support/wasi.mjs';

randomPrograms('x86_64');
linux('x86_64');
test('x86_64: system tests', () => {
    for (const torture of ['hot', 'hot,exits', 'hot,late,tlb', 'hot,regions'])
        boot('x86_64', /^\d{3,} passed, 0 failed$/m, [`${build}/test/x86_64-system.elf`], '--torture', torture);
});
