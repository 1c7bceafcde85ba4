// The wasm module as an object: the functions of src/host/web/api.h with strings and byte arrays
// instead of pointers, and its imports as callbacks. One instance, one VM.
import type { Bytes, LogLevel, RemoteOp } from '../common/messages.js';
import { fillRandom, wasiImports } from './wasi.js';
import type { BlobStore } from './store.js';

/** Numbers of `enum machine_state`. */
export const MachineState = { Running: 0, Idle: 1, PowerOff: 2, Reboot: 3, Failed: 4 } as const;
export type MachineState = (typeof MachineState)[keyof typeof MachineState];

/** Numbers of `enum jit_result`. */
const JitResult = { Refused: 0, Done: 1, Later: 2 } as const;

export interface EngineEvents {
  log(level: LogLevel, text: string): void;
  /** `data` is the receiver's. */
  output(session: number, stream: 'stdout' | 'stderr', data: Bytes): void;
  exited(session: number, status: number): void;
  message(session: number, text: string): void;
  console(data: Bytes): void;
  fsRequest(
    volume: number,
    id: number,
    op: RemoteOp,
    path: string,
    path2: string | undefined,
    data: Bytes | undefined,
  ): void;
  fsTimer(volume: number, delayMs: number): void;
  fsFlushed(volume: number, errno: number): void;
}

export interface BlobRequest {
  readonly path: string;
  readonly size: number;
  readonly layer: number;
  readonly layers: number;
}

// Pointers and numbers only; names of api.h.
interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly __indirect_function_table: WebAssembly.Table;
  _initialize(): void;
  berth_alloc(length: number): number;
  berth_free(at: number): void;
  berth_new(options: number, length: number): number;
  berth_destroy(vm: number): void;
  berth_jit_arrived(vm: number, token: number, ok: number): void;
  berth_error(vm: number): number;
  berth_kernel(vm: number, at: number, length: number): void;
  berth_initrd(vm: number, at: number, length: number): void;
  berth_pull_next(vm: number): number;
  berth_pull_path(vm: number): number;
  berth_pull_size(vm: number): number;
  berth_pull_layer(vm: number): number;
  berth_pull_layers(vm: number): number;
  berth_pull_feed(vm: number, at: number, length: number): number;
  berth_pull_end(vm: number): number;
  berth_pull_digest(vm: number): number;
  berth_tree_save(vm: number): number;
  berth_tree_data(vm: number): number;
  berth_tree_len(vm: number): number;
  berth_tree_drop(vm: number): void;
  berth_tree_load(vm: number, at: number, length: number, storeSize: number): number;
  berth_start(vm: number): number;
  berth_run(vm: number, budgetUs: number): number;
  berth_wake(vm: number): number;
  berth_exit_code(vm: number): number;
  berth_failure(vm: number): number;
  berth_insns(vm: number): number;
  berth_stats(vm: number): number;
  berth_profile(vm: number, programs: number): number;
  berth_spawn(vm: number, options: number, length: number): number;
  berth_stdin(vm: number, session: number, at: number, length: number): number;
  berth_stdin_eof(vm: number, session: number): void;
  berth_resize(vm: number, session: number, cols: number, rows: number): void;
  berth_signal(vm: number, session: number, signal: number): void;
  berth_output_done(vm: number, session: number, length: number): void;
  berth_shutdown(vm: number): void;
  berth_fs_done(vm: number, volume: number, id: number, at: number, length: number): void;
  berth_fs_fail(vm: number, volume: number, id: number, at: number, length: number): void;
  berth_fs_tick(vm: number, volume: number): void;
  berth_fs_changed(vm: number, volume: number, at: number, length: number): void;
  berth_fs_flush(vm: number, volume: number): void;
  berth_fs_dirty(vm: number, volume: number): number;
}

const LOG_LEVELS: readonly LogLevel[] = ['error', 'warn', 'info', 'debug'];

/** An error of the C side: its message is meant for the user. */
export class EngineError extends Error {}

export class Engine {
  private readonly x: Exports;
  private readonly encoder = new TextEncoder();
  private readonly decoder = new TextDecoder();
  private vm = 0;

  constructor(
    module: WebAssembly.Module,
    private readonly store: BlobStore,
    private readonly events: EngineEvents,
  ) {
    const instance = new WebAssembly.Instance(module, {
      berth: this.imports(),
      wasi_snapshot_preview1: wasiImports(
        () => this.x.memory,
        (text) => events.log('warn', text),
      ),
    });
    this.x = instance.exports as unknown as Exports;
    this.x._initialize();
  }

  // --- memory ---

  private bytes(at: number, length: number): Bytes {
    return new Uint8Array(this.x.memory.buffer, at >>> 0, length >>> 0);
  }

  private text(at: number, length: number): string {
    return this.decoder.decode(this.bytes(at, length));
  }

  private cstring(at: number): string {
    const all = new Uint8Array(this.x.memory.buffer);
    const end = all.indexOf(0, at >>> 0);
    return this.decoder.decode(all.subarray(at >>> 0, end));
  }

  /** Memory of the module holding `data`; the caller frees it. */
  private copyIn(data: Uint8Array): number {
    const at = this.x.berth_alloc(data.length) >>> 0;
    if (at === 0)
      throw new EngineError(`The engine has no memory for ${data.length} bytes. Give the VM less memory.`);
    this.bytes(at, data.length).set(data);
    return at;
  }

  private with<T>(data: Uint8Array, use: (at: number, length: number) => T): T {
    const at = this.copyIn(data);
    try {
      return use(at, data.length);
    } finally {
      this.x.berth_free(at);
    }
  }

  private check(result: number): number {
    if (result < 0) throw new EngineError(this.cstring(this.x.berth_error(this.vm)));
    return result;
  }

  get memorySize(): number {
    return this.x.memory.buffer.byteLength;
  }

  // --- imports ---

  private imports(): Record<string, (...args: never[]) => unknown> {
    const e = this.events;
    const table = {
      now: () => performance.now(),
      realtime: () => Date.now(),
      random: (at: number, length: number) => fillRandom(this.bytes(at, length)),
      log: (level: number, at: number, length: number) =>
        e.log(LOG_LEVELS[level] ?? 'info', this.text(at, length)),
      store_append: (_vm: number, at: number, length: number) => {
        try {
          return this.store.append(this.bytes(at, length));
        } catch (error) {
          e.log('error', `The image cannot be stored: ${String(error)}`);
          return -1;
        }
      },
      store_read: (_vm: number, offset: number, at: number, length: number) =>
        this.store.read(offset, this.bytes(at, length)) ? 1 : 0,
      output: (_vm: number, session: number, stream: number, at: number, length: number) =>
        e.output(session, stream === 2 ? 'stderr' : 'stdout', this.bytes(at, length).slice()),
      exited: (_vm: number, session: number, status: number) => e.exited(session, status),
      message: (_vm: number, session: number, at: number, length: number) =>
        e.message(session, this.text(at, length)),
      console: (_vm: number, at: number, length: number) =>
        e.console(this.bytes(at, length).slice()),
      fs_request: (
        _vm: number,
        volume: number,
        id: number,
        op: number,
        path: number,
        pathLength: number,
        path2: number,
        path2Length: number,
        data: number,
        length: number,
      ) =>
        e.fsRequest(
          volume,
          id >>> 0,
          op as RemoteOp,
          this.text(path, pathLength),
          path2 === 0 ? undefined : this.text(path2, path2Length),
          data === 0 ? undefined : this.bytes(data, length).slice(),
        ),
      jit_install: (vm: number, at: number, length: number, token: number, later: number) =>
        this.installCode(vm >>> 0, this.bytes(at, length), token, later !== 0),
      jit_grow: (slots: number, from: number) => {
        const code = this.x.__indirect_function_table;
        try {
          return code.grow(slots, code.get(from));
        } catch {
          return 0;
        }
      },
      jit_set: (slot: number, from: number) => {
        const code = this.x.__indirect_function_table;
        code.set(slot, code.get(from));
      },
      fs_timer: (_vm: number, volume: number, delayMs: number) => e.fsTimer(volume, delayMs),
      fs_flushed: (_vm: number, volume: number, errno: number) => e.fsFlushed(volume, errno),
    };
    return table as Record<string, (...args: never[]) => unknown>;
  }

  /** A module of translated guest code: puts its functions into the table. Results: enum jit_result. */
  private installCode(vm: number, code: Bytes, token: number, later: boolean): number {
    const imports = { e: { m: this.x.memory, t: this.x.__indirect_function_table } };
    // Token 0 only tries what this browser can do.
    const refused = (error: unknown) => {
      if (token !== 0) this.events.log('warn', `Translated code was refused: ${String(error)}`);
    };
    // Compiling copies the bytes first; the view does not outlive the call.
    if (later) {
      // The functions are in their slots from the instantiation on, and the engine is told at once: the guest must
      // not run between the two.
      const arrive = (module?: WebAssembly.Module) => {
        if (this.vm !== vm) return;
        let ok = 0;
        try {
          if (module !== undefined) {
            new WebAssembly.Instance(module, imports);
            ok = 1;
          }
        } catch (error) {
          refused(error);
        }
        this.x.berth_jit_arrived(vm, token, ok);
      };
      void WebAssembly.compile(code).then(arrive, (error: unknown) => {
        refused(error);
        arrive();
      });
      return JitResult.Later;
    }
    try {
      new WebAssembly.Instance(new WebAssembly.Module(code), imports);
      return JitResult.Done;
    } catch (error) {
      refused(error);
      return JitResult.Refused;
    }
  }

  // --- the VM's life ---

  create(options: string, kernel: Uint8Array, initrd: Uint8Array): void {
    this.vm = this.with(this.encoder.encode(options), (at, n) => this.x.berth_new(at, n)) >>> 0;
    if (this.vm === 0) throw new EngineError('The engine has no memory left.');
    this.x.berth_kernel(this.vm, this.copyIn(kernel), kernel.length);
    this.x.berth_initrd(this.vm, this.copyIn(initrd), initrd.length);
  }

  destroy(): void {
    if (this.vm !== 0) this.x.berth_destroy(this.vm);
    this.vm = 0;
  }

  /** What to fetch next; undefined when the image is complete. */
  pullNext(): BlobRequest | undefined {
    if (this.check(this.x.berth_pull_next(this.vm)) === 0) return undefined;
    return {
      path: this.cstring(this.x.berth_pull_path(this.vm)),
      size: this.x.berth_pull_size(this.vm),
      layer: this.x.berth_pull_layer(this.vm),
      layers: this.x.berth_pull_layers(this.vm),
    };
  }

  pullFeed(data: Uint8Array): void {
    this.check(this.with(data, (at, n) => this.x.berth_pull_feed(this.vm, at, n)));
  }

  pullEnd(): void {
    this.check(this.x.berth_pull_end(this.vm));
  }

  /** Names the image once its first layer is asked for; "" before. */
  get imageDigest(): string {
    return this.cstring(this.x.berth_pull_digest(this.vm));
  }

  /** The unpacked tree, without the store's bytes. */
  saveTree(): Bytes {
    this.check(this.x.berth_tree_save(this.vm));
    const at = this.x.berth_tree_data(this.vm);
    const tree = this.bytes(at, this.x.berth_tree_len(this.vm)).slice();
    this.x.berth_tree_drop(this.vm);
    return tree;
  }

  /** In place of the layers; then the image is complete. */
  loadTree(tree: Uint8Array, storeSize: number): void {
    this.check(this.with(tree, (at, n) => this.x.berth_tree_load(this.vm, at, n, storeSize)));
  }

  start(): void {
    this.check(this.x.berth_start(this.vm));
  }

  run(budgetMs: number): MachineState {
    return this.x.berth_run(this.vm, budgetMs * 1000) as MachineState;
  }

  /** performance.now() of the next timer; undefined when only an event wakes the guest. */
  get wake(): number | undefined {
    const at = this.x.berth_wake(this.vm);
    return at < 0 ? undefined : at;
  }

  get failure(): string {
    return this.cstring(this.x.berth_failure(this.vm));
  }

  /** The figures of `struct cpu_stats` by name. */
  get figures(): Record<string, number> {
    const lines = this.cstring(this.x.berth_stats(this.vm)).split('\n');
    const pairs = lines.filter((l) => l !== '').map((l) => l.split('='));
    return Object.fromEntries(pairs.map(([name, value]) => [name, Number(value)]));
  }

  /** What is hot of the guest's kernel now, empty while it does not run, or of its programs. */
  profile(of: 'kernel' | 'programs'): string {
    return this.cstring(this.x.berth_profile(this.vm, of === 'programs' ? 1 : 0));
  }

  get instructions(): number {
    return this.x.berth_insns(this.vm);
  }

  // --- sessions ---

  spawn(options: string): number {
    return this.check(
      this.with(this.encoder.encode(options), (at, n) => this.x.berth_spawn(this.vm, at, n)),
    );
  }

  /** Bytes taken. */
  stdin(session: number, data: Uint8Array): number {
    return this.with(data, (at, n) => this.x.berth_stdin(this.vm, session, at, n));
  }

  stdinEof(session: number): void {
    this.x.berth_stdin_eof(this.vm, session);
  }

  resize(session: number, cols: number, rows: number): void {
    this.x.berth_resize(this.vm, session, cols, rows);
  }

  signal(session: number, signal: number): void {
    this.x.berth_signal(this.vm, session, signal);
  }

  outputDone(session: number, bytes: number): void {
    this.x.berth_output_done(this.vm, session, bytes);
  }

  shutdown(): void {
    this.x.berth_shutdown(this.vm);
  }

  // --- volumes ---

  fsDone(volume: number, id: number, data: Uint8Array): void {
    this.with(data, (at, n) => this.x.berth_fs_done(this.vm, volume, id, at, n));
  }

  fsFail(volume: number, id: number, code: string): void {
    this.with(this.encoder.encode(code), (at, n) =>
      this.x.berth_fs_fail(this.vm, volume, id, at, n),
    );
  }

  fsTick(volume: number): void {
    this.x.berth_fs_tick(this.vm, volume);
  }

  fsChanged(volume: number, path: string): void {
    this.with(this.encoder.encode(path), (at, n) =>
      this.x.berth_fs_changed(this.vm, volume, at, n),
    );
  }

  fsFlush(volume: number): void {
    this.x.berth_fs_flush(this.vm, volume);
  }
}
