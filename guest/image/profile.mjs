// A profile of an image's programs (src/exec/jit_profile.c): what is hot in them while people work. As the file
// /usr/lib/berth/profile of the image it has the translator translate that ahead, while the guest waits for a command.
//
//   node guest/image/profile.mjs ARCH LAYOUT OUT [SCRIPT...]
//
// Starts the image (LAYOUT, the folder of an OCI layout, tag latest) in this Node.js, works in it, and writes the profile
// to OUT. The work is the shell scripts given, which are in /work in the container, or else what is in
// guest/image/work for the programs that the image has. Needs make web and build/guest, and umoci.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { built } from '../../test/web/support/env.mjs';
import { workInContainer } from '../profile.mjs';
import { pagesBelow, placed, unpack } from './pages.mjs';

const [arch, layout, out, ...scripts] = process.argv.slice(2);
if (out === undefined) throw new Error('usage: profile.mjs ARCH LAYOUT OUT [SCRIPT...]');

const ROUNDS = 2; // what is done once in a while is hot too
const LIMIT_S = 1200; // a minute on a free machine
const OWN = fileURLToPath(new URL('work/', import.meta.url));
// Each begins with a look whether the image has what it is for.
const OWN_SCRIPTS = ['shell.sh', 'c.sh', 'python.sh'];
const TYPED = ['ls -l /usr\r', 'cd /wo\t\r', 'ech\x7fho hello | cat; date\r', '\x1b[A\x1b[A\x01\x05\r', 'for i in 1 2 3; do echo $i; done\r', 'exit 0\r'];

function filesOf(folder) {
    const names = fs.readdirSync(folder, { recursive: true }).filter((name) => fs.statSync(path.join(folder, name)).isFile());
    return Object.fromEntries(names.map((name) => [name, fs.readFileSync(path.join(folder, name))]));
}

async function work(guest) {
    const names = scripts.length > 0 ? scripts.map((s) => path.basename(s)) : OWN_SCRIPTS;
    for (let round = 0; round < ROUNDS; round++) {
        for (const name of names) {
            const begin = performance.now();
            await guest.run(`cd /work && sh ./${name} 2>&1`);
            console.error(`  ${name}: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
        }
        if (scripts.length === 0) await guest.type(TYPED);
    }
    return guest.profile('programs');
}

const files = scripts.length > 0 ? Object.fromEntries(scripts.map((s) => [path.basename(s), fs.readFileSync(s)])) : filesOf(OWN);
const kernel = fs.readFileSync(built('guest', arch, 'Image'));
const hot = await workInContainer({ arch, kernel, image: layout, memory: 1 << 30, files, limit: LIMIT_S }, work);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-image-'));
let profile;
try {
    profile = placed(hot, pagesBelow(unpack(layout, folder)));
} finally {
    fs.rmSync(folder, { recursive: true, force: true });
}
if (profile.pages === 0) throw new Error(`none of the ${profile.hot} hot pages is in the image ${layout}: was another one running?`);
fs.writeFileSync(out, profile.text);
console.log(`${arch}: ${profile.pages} hot pages of ${profile.files} files (of ${profile.hot}), ${profile.text.length} bytes`);
