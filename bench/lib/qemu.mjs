// The peer: qemu-system-ARCH with the same kernel, the same init and the same files, the image's
// tree and the programs over 9p as ours has them. Speaks the host's end of include/berth/ctl.h.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { cpuOf } from './cpu.mjs';
import { ARCH, guestFile, hostPrograms, MEMORY_MB, programs, unpacked } from './paths.mjs';
import { Shell } from './shell.mjs';

export const QEMU = `qemu-system-${ARCH}`;
// On x86 QEMU's translator gives the guest the host's time-stamp counter, and nothing by which Linux could measure
// it well while other work goes on: so it is told.
function tsc() {
    const khz = execFileSync(path.join(hostPrograms, 'tsc-khz')).toString().trim();
    return khz === '0' ? '' : ` tsc=reliable tsc_early_khz=${khz}`;
}

// Each with what our kernel needs there. microvm with the old chips: QEMU's translator has neither deadlines in
// its APIC timer nor KVM's clock.
const BOARDS = {
    riscv64: { args: ['-M', 'virt'], append: () => '' },
    x86_64: {
        args: ['-M', 'microvm,x-option-roms=off,pit=on,pic=on,rtc=on,isa-serial=on,acpi=off', '-nodefaults', '-accel', 'tcg', '-cpu', 'max'],
        append: () => ` reboot=t${tsc()}`,
    },
};
if (BOARDS[ARCH] === undefined) throw new Error(`no board of ${QEMU} to compare with; see BOARDS in bench/lib/qemu.mjs`);
export const append = () => `console=ttyS0 quiet${BOARDS[ARCH].append()}`;
export const MACHINE = [...BOARDS[ARCH].args, '-m', `${MEMORY_MB}M`, '-nographic', '-no-reboot', '-monitor', 'none', '-serial', 'stdio', '-kernel', guestFile('Image')];

const SPAWN = 1, STDIN = 2;
const READY = 64, STDOUT = 65, STDERR = 66, EXIT = 67, ERROR = 68, CREDIT = 96;
const HEADER = 8;

const u32 = (value) => {
    const b = Buffer.alloc(4);
    b.writeUInt32LE(value);
    return b;
};
const records = (list) => Buffer.from(list.map((r) => r + '\0').join(''));

// A newc archive with one file: the second archive of the initramfs.
function newc(name, data) {
    const entry = (file, body, mode) => {
        const fields = [1, mode, 0, 0, 1, 0, body.length, 0, 0, 0, 0, file.length + 1, 0];
        const head = Buffer.from('070701' + fields.map((f) => f.toString(16).padStart(8, '0')).join('') + file + '\0');
        const pad = (b) => Buffer.concat([b, Buffer.alloc(-b.length & 3)]);
        return Buffer.concat([pad(head), pad(body)]);
    };
    return Buffer.concat([entry(name, data, 0o100644), entry('TRAILER!!!', Buffer.alloc(0), 0)]);
}

function share(number, folder, tag) {
    const fsdev = `local,id=fs${number},path=${folder},security_model=none,multidevs=remap,readonly=on`;
    return ['-fsdev', fsdev, '-device', `virtio-9p-device,fsdev=fs${number},mount_tag=${tag}`];
}

export class QemuGuest {
    static async start(imageName) {
        const g = new QemuGuest();
        g.imageName = imageName;
        g.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'berth-bench-'));
        const initrd = fs.readFileSync(guestFile('initramfs.cpio'));
        const conf = records(['hostname=berth', 'root=9p:root', 'mount=9p:bench:ro:/bench']);
        fs.writeFileSync(path.join(g.folder, 'initrd'), Buffer.concat([initrd, Buffer.alloc(-initrd.length & 3), newc('berth.conf', conf)]));
        const connected = g.listen(path.join(g.folder, 'ctl'));
        g.launch();
        await Promise.race([connected, g.closed]);
        await g.run('true');
        return g;
    }

    launch() {
        const ctl = path.join(this.folder, 'ctl');
        const args = [
            ...MACHINE, '-initrd', path.join(this.folder, 'initrd'), '-append', append(),
            '-device', 'virtio-serial-device', '-chardev', `socket,id=ctl,path=${ctl}`,
            '-device', 'virtserialport,chardev=ctl,name=berth.ctl', '-device', 'virtio-rng-device',
            ...share(0, unpacked(this.imageName), 'root'), ...share(1, programs, 'bench'),
        ];
        this.process = spawn(QEMU, args, { stdio: ['ignore', 'pipe', 'pipe'] });
        let console = '';
        this.process.stdout.on('data', (data) => (console += data));
        this.process.stderr.on('data', (data) => (console += data));
        this.process.on('error', (error) => this.shell.end(`${QEMU}: ${error.message}`));
        this.closed = new Promise((resolve) => this.process.on('close', resolve));
        void this.closed.then(() => this.shell.end(`${QEMU} ended: ${console.slice(-2000)}`));
    }

    listen(socketPath) {
        this.early = [];
        this.shell = new Shell((text) => this.stdin(text));
        return new Promise((resolve) => {
            const server = net.createServer((socket) => {
                server.close();
                this.socket = socket;
                socket.on('error', () => undefined); // the process's end is what counts
                let pending = Buffer.alloc(0);
                socket.on('data', (data) => (pending = this.frames(Buffer.concat([pending, data]))));
                resolve();
            });
            server.listen(socketPath);
        });
    }

    send(type, session, payload) {
        const head = Buffer.alloc(HEADER);
        head.writeUInt8(type, 0);
        head.writeUInt16LE(session, 2);
        head.writeUInt32LE(payload.length, 4);
        this.socket.write(Buffer.concat([head, payload]));
    }

    // Our input is short: never more than the window that the guest gives at the start and renews.
    stdin(text) {
        if (this.early) this.early.push(text);
        else this.send(STDIN, 1, Buffer.from(text));
    }

    // Handles the whole frames; returns what is left.
    frames(data) {
        while (data.length >= HEADER && data.length >= HEADER + data.readUInt32LE(4)) {
            const end = HEADER + data.readUInt32LE(4);
            this.frame(data.readUInt8(0), data.subarray(HEADER, end));
            data = data.subarray(end);
        }
        return data;
    }

    frame(type, payload) {
        if (type === READY) {
            this.send(SPAWN, 1, Buffer.concat([Buffer.alloc(8), records(['arg=sh', 'env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'env=LANG=C.UTF-8', 'cwd=/root'])]));
            const early = this.early;
            this.early = undefined;
            for (const text of early) this.stdin(text);
        } else if (type === STDOUT || type === STDERR) {
            this.send(CREDIT, 1, u32(payload.length));
            this.shell.feed(payload);
        } else if (type === ERROR) {
            this.shell.end(`the peer's init: ${payload}`);
        } else if (type === EXIT) {
            this.shell.end(`the peer's shell ended with status ${payload.readUInt32LE(0)}`);
        }
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
        fs.rmSync(this.folder, { recursive: true, force: true });
    }
}
