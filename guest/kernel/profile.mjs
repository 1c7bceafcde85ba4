// A profile of the guest's kernel (src/exec/jit_profile.c): what is hot in it while people work in a container. The
// translator translates that ahead, while the guest waits for its first command.
//
//   node guest/kernel/profile.mjs ARCH KERNEL IMAGE OUT
//
// Starts the kernel with the image (an OCI layout) in this Node.js, works in it, and writes KERNEL with the profile
// after it to OUT. Needs the engine, the worker and the tests' package to be built.
import fs from 'node:fs';
import { workInContainer } from '../profile.mjs';

const [arch, kernelFile, image, out] = process.argv.slice(2);
if (out === undefined) throw new Error('usage: profile.mjs ARCH KERNEL IMAGE OUT');
const kernel = fs.readFileSync(kernelFile);

// What kernels do for people: processes, pipes, files of the image, of memory and of the workspace, compilers, sleep.
// No loops of one system call: they would find it, but nobody's work is like that.
const WORK = [
    'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do /bin/true; sh -c "echo $i" >/dev/null; done',
    'ls -lR /usr >/tmp/list; wc /tmp/list; sort /tmp/list | uniq -c | sort -rn | head -n 3',
    'find / -xdev -type f | head -n 2000 | xargs cat 2>/dev/null | head -c 30000000 | md5sum',
    'cp -r /usr/include /tmp/include; grep -rl printf /tmp/include | wc -l; rm -r /tmp/include',
    "printf '#include <stdio.h>\\nint main(void) { puts(\"hello\"); return 0; }\\n' >/tmp/a.c; gcc -O2 /tmp/a.c -o /tmp/a && /tmp/a",
    'tar cf - /usr/share 2>/dev/null | gzip -1 | tail -c 10 | od -c | tail -n 1',
    'yes | head -n 300000 | cat | cat | wc -l; dd if=/dev/zero of=/tmp/zero bs=4k count=4000 2>/dev/null; rm /tmp/zero',
    'cd /work; for i in $(seq 40); do echo $i >file$i; cat file$i; mv file$i other$i; done >/dev/null; ls -l | wc -l; rm other*',
    'i=0; while [ $i -lt 60 ]; do i=$((i+1)); x=$(echo $i | tr 0-9 a-j); done; echo $x',
    'sleep 0.2; (sleep 0.1 & wait); kill -0 $$; cat /proc/self/maps /proc/meminfo /proc/stat >/dev/null; df >/dev/null',
];
const ROUNDS = 3;
const LIMIT_S = 900; // half a minute on a free machine

const text = Buffer.from(
    await workInContainer({ arch, kernel, image, limit: LIMIT_S }, async (guest) => {
        for (let round = 0; round < ROUNDS; round++) for (const command of WORK) await guest.run(command);
        return guest.kernelProfile();
    }),
);
const tail = Buffer.alloc(12);
tail.writeUInt32LE(text.length);
tail.write('BERTHPRF', 4, 'latin1');
fs.writeFileSync(out, Buffer.concat([kernel, text, tail]));
const count = (pattern) => text.toString().match(pattern)?.length ?? 0;
console.log(`${arch}: ${count(/[FLB]/g)} hot places in ${count(/^p/gm)} pages of the kernel, ${text.length} bytes`);
