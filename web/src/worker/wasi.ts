// The few WASI preview 1 functions that wasi-libc links in. The module has no files: descriptors 1
// and 2 go to the log, everything else answers EBADF.

const EBADF = 8;
const ENOSYS = 52;

export class ExitError extends Error {
  constructor(readonly code: number) {
    super(`The engine ended itself with code ${code}.`);
  }
}

export function wasiImports(
  memory: () => WebAssembly.Memory,
  log: (text: string) => void,
): Record<string, (...args: never[]) => number> {
  const view = (): DataView => new DataView(memory().buffer);
  const decoder = new TextDecoder();
  let line = '';
  const write = (text: string): void => {
    const lines = (line + text).split('\n');
    line = lines.pop() ?? '';
    for (const l of lines) log(l);
  };
  return {
    fd_write(fd: number, iovs: number, count: number, written: number): number {
      if (fd !== 1 && fd !== 2) return EBADF;
      let total = 0;
      for (let i = 0; i < count; i++) {
        const at = view().getUint32(iovs + 8 * i, true);
        const length = view().getUint32(iovs + 8 * i + 4, true);
        write(decoder.decode(new Uint8Array(memory().buffer, at, length).slice(), { stream: true }));
        total += length;
      }
      view().setUint32(written, total, true);
      return 0;
    },
    proc_exit(code: number): number {
      if (line !== '') log(line);
      throw new ExitError(code);
    },
    environ_sizes_get(count: number, size: number): number {
      view().setUint32(count, 0, true);
      view().setUint32(size, 0, true);
      return 0;
    },
    environ_get: () => 0,
    clock_time_get(id: number, _precision: bigint, out: number): number {
      const ms = id === 0 ? Date.now() : performance.now();
      view().setBigUint64(out, BigInt(Math.floor(ms * 1e6)), true);
      return 0;
    },
    random_get(at: number, length: number): number {
      fillRandom(new Uint8Array(memory().buffer, at, length));
      return 0;
    },
    fd_close: () => EBADF,
    fd_seek: () => EBADF,
    fd_read: () => EBADF,
    fd_fdstat_get: () => EBADF,
    fd_fdstat_set_flags: () => EBADF,
    fd_prestat_get: () => EBADF,
    fd_prestat_dir_name: () => EBADF,
    path_open: () => ENOSYS,
    poll_oneoff: () => ENOSYS,
    sched_yield: () => 0,
  } as Record<string, (...args: never[]) => number>;
}

/** crypto.getRandomValues takes 64 KiB at most. */
export function fillRandom(out: Uint8Array<ArrayBuffer>): void {
  for (let at = 0; at < out.length; at += 65536)
    crypto.getRandomValues(out.subarray(at, Math.min(at + 65536, out.length)));
}
