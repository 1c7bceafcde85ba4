// Where things are built. ARCH is the guest's architecture.
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const top = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const ARCH = process.env.BENCH_ARCH || 'riscv64';
export const CHROMIUM = `chromium-${ARCH}`;
export const built = (...parts) => path.join(top, 'build', ...parts);
export const guestFile = (name) => built('guest', ARCH, name);
export const image = (name) => built('images', ARCH, name);
// As people have it in a browser: with a profile of its programs, if one is made.
export const imageInBrowser = (name) => (name === 'debian-bench' ? built('wasm', 'images', ARCH, name) : image(name));
export const programsOf = (arch) => built('bench', arch, 'programs');
export const programs = programsOf(ARCH);
export const hostPrograms = built('bench', 'host');
export const unpacked = (name) => built('bench', ARCH, 'root', name, 'rootfs');
export const MEMORY_MB = 512;
