// Ours, natively: build/berth with a shell of the image on its stdin and stdout.
import { spawn } from 'node:child_process';
import { cpuOf } from './cpu.mjs';
import { built, image, MEMORY_MB, programs } from './paths.mjs';
import { Shell } from './shell.mjs';

export class NativeGuest {
    /** Boots the image and waits for its shell. `programs` are at /bench. */
    static async start(imageName) {
        const g = new NativeGuest();
        const args = ['run', '-i', '--memory', `${MEMORY_MB}M`, '--volume', `${programs}:/bench:ro`, `oci:${image(imageName)}`, 'sh'];
        g.process = spawn(built('berth'), args, { stdio: ['pipe', 'pipe', 'pipe'] });
        g.shell = new Shell((text) => g.process.stdin.write(text));
        let errors = '';
        g.process.stderr.on('data', (data) => (errors += data));
        g.process.stdout.on('data', (data) => g.shell.feed(data));
        g.process.stdin.on('error', () => undefined); // its end is reported below
        g.closed = new Promise((resolve) => g.process.on('close', resolve));
        g.process.on('error', (error) => g.shell.end(String(error)));
        void g.closed.then((status) => g.shell.end(`berth ended with status ${status}: ${errors.slice(-2000)}`));
        await g.run('true');
        return g;
    }

    run(command) {
        return this.shell.run(command);
    }

    cpu() {
        return cpuOf(this.process.pid);
    }

    async close() {
        this.process.kill('SIGKILL');
        await this.closed;
    }
}
