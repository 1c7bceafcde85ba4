// A profile of an image's programs (src/exec/jit_profile.c): what is hot in them while people work. As the file
// /usr/lib/berth/profile of the image it has the translator translate that ahead, while the guest waits for a command.
//
//   node guest/image/profile.mjs ARCH LAYOUT OUT [SCRIPT...]
//
// Starts the image (LAYOUT, the folder of an OCI layout, tag latest) in this Node.js, works in it, and writes the profile
// to OUT. The work is the shell scripts given, which are in /work in the container, or else those in
// guest/image/work, which see what programs there are. Needs what make web builds, and umoci.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { built } from '../../test/web/support/env.mjs';
import { workInContainer } from '../profile.mjs';
import { Hot, pagesBelow, placed, unpack } from './pages.mjs';

const [arch, layout, out, ...scripts] = process.argv.slice(2);
if (out === undefined) throw new Error('usage: profile.mjs ARCH LAYOUT OUT [SCRIPT...]');

const ROUNDS = 2; // what is done once in a while is hot too
const LOOK_MS = 2000; // the engine forgets code when much runs, so it is asked meanwhile
const LIMIT_S = 600; // for a script; the longest takes half a minute on a free machine
const OWN = fileURLToPath(new URL('work/', import.meta.url));
const OWN_SCRIPTS = ['shell.sh', 'c.sh', 'python.sh'];
const TYPED = ['ls -l /usr\r', 'cd /wo\t\r', 'ech\x7fho hello | cat; date\r', '\x1b[A\x1b[A\x01\x05\r', 'for i in 1 2 3; do echo $i; done\r', 'exit 0\r'];

function filesOf(folder) {
    const names = fs.readdirSync(folder, { recursive: true }).filter((name) => fs.statSync(path.join(folder, name)).isFile());
    return Object.fromEntries(names.map((name) => [name, fs.readFileSync(path.join(folder, name))]));
}

async function work(guest, script, hot) {
    const begin = performance.now();
    const texts = [];
    const look = async () => void texts.push(await guest.programsProfile());
    let failed;
    const looking = setInterval(() => look().catch((e) => (failed ??= e)), LOOK_MS);
    try {
        for (let round = 0; round < ROUNDS; round++) await guest.run(`cd /work && sh ./${script}`);
        if (script === OWN_SCRIPTS[0]) await guest.type(TYPED);
    } finally {
        clearInterval(looking);
    }
    await look();
    if (failed !== undefined) throw failed;
    hot.add(texts.filter((text) => text !== ''));
    console.log(`  ${script}: ${((performance.now() - begin) / 1000).toFixed(1)} s`);
}

const files = scripts.length > 0 ? Object.fromEntries(scripts.map((s) => [path.basename(s), fs.readFileSync(s)])) : filesOf(OWN);
const kernel = fs.readFileSync(built('guest', arch, 'Image'));
const hot = new Hot();
// Each in a container of its own: the engine keeps so much code.
for (const script of scripts.length > 0 ? scripts.map((s) => path.basename(s)) : OWN_SCRIPTS) {
    await workInContainer({ arch, kernel, image: layout, memory: 1 << 30, files, limit: LIMIT_S }, (guest) => work(guest, script, hot));
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-image-'));
let profile;
try {
    profile = placed(hot, pagesBelow(unpack(layout, folder)));
} finally {
    fs.rmSync(folder, { recursive: true, force: true });
}
if (profile.pages === 0) throw new Error(`none of ${hot.pages.size} hot pages is in the image ${layout}`);
fs.writeFileSync(out, profile.text);
const hotPlaces = profile.text.match(/ [0-9a-f]{3}[cj]*[A-Z]/g)?.length ?? 0;
console.log(`${arch}: ${hotPlaces} hot places in ${profile.pages} pages of ${profile.files} files, ${profile.text.length} bytes`);
