// The second peer of x86_64 in a page without anything else: v86 with our kernel for 32 bits, all files in
// its initramfs, a shell on the serial port. Gives lib/chromium.mjs the same functions as page.mjs does.
import { V86 } from '/bench/node_modules/v86/build/libv86.mjs';
import { READY, Shell } from '/bench/lib/shell.mjs';

const BUILT = '/build/bench/i386';
// v86's time-stamp counter has 1 GHz; measuring that takes Linux time and goes wrong on a busy machine.
const CMDLINE = 'console=ttyS0 quiet tsc=reliable tsc_early_khz=1000000';

let emulator;
let shell;

// Loaded, not running. onByte gets what the guest writes to its serial port.
function load(memory, initrd, onByte) {
    emulator = new V86({
        wasm_path: '/bench/node_modules/v86/build/v86.wasm',
        memory_size: memory,
        bios: { url: `${BUILT}/bios.bin` },
        bzimage: { url: '/build/guest/i386/Image' },
        initrd: { url: `${BUILT}/${initrd}` },
        cmdline: CMDLINE,
        autostart: false,
        disable_keyboard: true,
        disable_mouse: true,
        disable_speaker: true,
    });
    emulator.add_listener('serial0-output-byte', onByte);
    return new Promise((resolve) => emulator.add_listener('emulator-loaded', resolve));
}

/** Boots and waits for the shell. */
async function start({ memory }) {
    shell = new Shell((text) => emulator.serial0_send(text));
    await load(memory, 'initramfs.cpio', (byte) => shell.feed(Uint8Array.of(byte)));
    const ready = shell.expect(READY);
    emulator.run();
    await ready;
    await shell.run('true');
}

/** Seconds from the machine's start, which is its BIOS, until `mark` is on its console. */
async function boot({ memory }, mark) {
    let console = '';
    let found;
    const seen = new Promise((resolve) => (found = resolve));
    await load(memory, 'init.cpio', (byte) => {
        console += String.fromCharCode(byte);
        if (console.endsWith(mark)) found(performance.now());
    });
    const begin = performance.now();
    emulator.run();
    return ((await seen) - begin) / 1000;
}

globalThis.bench = { start, boot, run: (command) => shell.run(command), stop: () => emulator.destroy() };
