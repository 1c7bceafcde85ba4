// A running container as the page sees it: sessions with their terminals, progress, the end.
// Uses nothing that a worker lacks, because the VS Code extension host is one.
import type {
  Bytes,
  FromWorker,
  LogLevel,
  ProcessOptions,
  Progress,
  StopReason,
  ToWorker,
} from '../common/messages.js';
import { remoteErrorCode, serveRemote, type Disposable, type RemoteFs } from '../common/remotefs.js';

/** What is needed of a Worker. */
export interface WorkerLike {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  terminate(): void;
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: ((event: unknown) => void) | null;
}

export interface Volume {
  /** Absolute path in the container. */
  readonly guest: string;
  readonly fs: RemoteFs;
  readonly readonly?: boolean;
}

export interface ContainerOptions {
  /** Source text of worker.js, or a function that makes the worker. */
  readonly worker: string | Promise<string> | (() => WorkerLike);
  /** berth.wasm; kernel and initramfs, gzip'd or plain. */
  readonly wasm: Uint8Array | Promise<Uint8Array>;
  readonly kernel: Uint8Array | Promise<Uint8Array>;
  readonly initrd: Uint8Array | Promise<Uint8Array>;
  readonly image: {
    /** Base URL of an OCI image layout: the folder that holds index.json. */
    readonly url: string;
    readonly tag?: string;
  };
  /** What the kernel is for, riscv64 or x86_64: imageArchitecture() says which an image wants. */
  readonly arch?: string | Promise<string>;
  /** Bytes of RAM. */
  readonly memory?: number;
  /** 'jit' (the default) translates hot guest code to WebAssembly, 'interp' only interprets. */
  readonly engine?: 'interp' | 'jit' | 'eval';
  /** Passes of the translator to leave out, by comma, and torture settings: for finding bugs. */
  readonly no?: string;
  readonly torture?: string;
  readonly hostname?: string;
  readonly kernelCommandLine?: string;
  readonly volumes?: readonly Volume[];
  readonly process?: ProcessOptions;
  readonly onProgress?: (progress: Progress) => void;
  readonly onLog?: (level: LogLevel, text: string) => void;
  /** The guest kernel's console. */
  readonly onConsole?: (data: Uint8Array) => void;
  /** A message for the user about the container as a whole. */
  readonly onMessage?: (text: string) => void;
}

export interface Stopped {
  readonly reason: StopReason;
  /** For the user; "" when all went well. */
  readonly message: string;
}

/** May return a promise: the guest is held back until it resolves. */
export type DataListener = (data: Uint8Array, stream: 'stdout' | 'stderr') => void | Promise<void>;

export interface Session extends Disposable {
  write(data: string | Uint8Array): void;
  /** One listener; output that came before it is set is delivered then. */
  onData(listener: DataListener): void;
  /** The process ended: exit code, or 128 + signal. undefined: the VM ended under it. */
  readonly exited: Promise<number | undefined>;
  onMessage(listener: (text: string) => void): void;
  resize(cols: number, rows: number): void;
  signal(signal: number): void;
  /** Hangs up, as closing a terminal does. The first session takes the container with it. */
  dispose(): void;
}

const SIGHUP = 1;
const STOP_MS = 25000; // after this the worker is ended whatever it does

type Pending = { resolve: (session: SessionImpl) => void; reject: (error: Error) => void };

class SessionImpl implements Session {
  readonly exited: Promise<number | undefined>;
  private resolveExited!: (status: number | undefined) => void;
  private listener: DataListener | undefined;
  private messageListener: ((text: string) => void) | undefined;
  private readonly waiting: { data: Uint8Array; stream: 'stdout' | 'stderr' }[] = [];
  private readonly messages: string[] = [];
  private readonly encoder = new TextEncoder();
  private open = true;

  constructor(
    private readonly id: number,
    private readonly post: (message: ToWorker, transfer?: ArrayBuffer[]) => void,
    private readonly closed: () => void,
  ) {
    this.exited = new Promise((resolve) => (this.resolveExited = resolve));
  }

  write(data: string | Uint8Array): void {
    if (!this.open) return;
    const bytes: Bytes = typeof data === 'string' ? this.encoder.encode(data) : new Uint8Array(data);
    if (bytes.length > 0) this.post({ type: 'stdin', session: this.id, data: bytes }, [bytes.buffer]);
  }

  onData(listener: DataListener): void {
    this.listener = listener;
    for (const w of this.waiting.splice(0)) this.deliver(w.data, w.stream);
  }

  onMessage(listener: (text: string) => void): void {
    this.messageListener = listener;
    for (const text of this.messages.splice(0)) listener(text);
  }

  resize(cols: number, rows: number): void {
    if (this.open) this.post({ type: 'resize', session: this.id, cols, rows });
  }

  signal(signal: number): void {
    if (this.open) this.post({ type: 'signal', session: this.id, signal });
  }

  dispose(): void {
    if (!this.open) return;
    this.signal(SIGHUP);
    this.listener = () => undefined;
    this.waiting.length = 0;
    this.closed();
  }

  // --- called by the container ---

  deliver(data: Uint8Array, stream: 'stdout' | 'stderr'): void {
    if (this.listener === undefined) {
      this.waiting.push({ data, stream });
      return;
    }
    const bytes = data.length;
    const done = (): void => this.post({ type: 'outputDone', session: this.id, bytes });
    void Promise.resolve(this.listener(data, stream)).then(done, done);
  }

  message(text: string): void {
    if (this.messageListener !== undefined) this.messageListener(text);
    else this.messages.push(text);
  }

  ended(status: number | undefined): void {
    this.open = false;
    this.resolveExited(status);
  }
}

function startWorker(source: string): WorkerLike {
  // A blob, because a worker may not be started from another origin, and VS Code's files are there.
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  try {
    return new Worker(url) as unknown as WorkerLike;
  } finally {
    // The worker has taken hold of it once it runs.
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  }
}

export class Container implements Disposable {
  /** Session 1: the container's main process. */
  readonly main: Session;
  readonly stopped: Promise<Stopped>;
  private resolveStopped!: (stopped: Stopped) => void;
  private worker: WorkerLike | undefined;
  /** Messages for a worker that is not there yet. */
  private unsent: { message: ToWorker; transfer: ArrayBuffer[] }[] = [];
  private readonly sessions = new Map<number, SessionImpl>();
  private readonly spawning = new Map<number, Pending>();
  private readonly watches: Disposable[] = [];
  private nextRequest = 1;
  private running = true;
  private stopping = false;
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private readonly profiles: ((text: string) => void)[] = [];
  private readonly stats: ((s: Extract<FromWorker, { type: 'stats' }>) => void)[] = [];

  constructor(private readonly options: ContainerOptions) {
    this.stopped = new Promise((resolve) => (this.resolveStopped = resolve));
    this.main = this.addSession(1);
    void this.start().catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      this.finish({ reason: 'error', message });
    });
  }

  private readonly post = (message: ToWorker, transfer: ArrayBuffer[] = []): void => {
    if (!this.running) return;
    if (this.worker === undefined) this.unsent.push({ message, transfer });
    else this.worker.postMessage(message, transfer);
  };

  private listen(worker: WorkerLike): void {
    worker.onmessage = (event) => this.receive(event.data as FromWorker);
    worker.onerror = (event) => {
      const text = (event as { message?: string }).message ?? String(event);
      this.finish({ reason: 'error', message: `The virtual machine's worker failed: ${text}` });
    };
    this.worker = worker;
  }

  private async start(): Promise<void> {
    const o = this.options;
    const own = async (data: Uint8Array | Promise<Uint8Array>): Promise<Bytes> =>
      new Uint8Array(await data);
    const [make, wasm, kernel, initrd, arch] = await Promise.all([
      typeof o.worker === 'function' ? o.worker : Promise.resolve(o.worker),
      own(o.wasm),
      own(o.kernel),
      own(o.initrd),
      Promise.resolve(o.arch ?? 'riscv64'),
    ]);
    if (!this.running) return;
    this.listen(typeof make === 'function' ? make() : startWorker(make));
    const unsent = this.unsent;
    this.unsent = [];
    this.post(
      {
        type: 'start',
        wasm,
        kernel,
        initrd,
        options: {
          arch,
          ...(o.memory !== undefined && { memory: o.memory }),
          ...(o.engine !== undefined && { engine: o.engine }),
          ...(o.no !== undefined && { no: o.no }),
          ...(o.torture !== undefined && { torture: o.torture }),
          ...(o.hostname !== undefined && { hostname: o.hostname }),
          ...(o.kernelCommandLine !== undefined && { kernelCommandLine: o.kernelCommandLine }),
          imageUrl: o.image.url,
          ...(o.image.tag !== undefined && { imageTag: o.image.tag }),
          volumes: (o.volumes ?? []).map((v) => ({ guest: v.guest, readonly: v.readonly === true })),
          process: o.process ?? {},
        },
      },
      [wasm.buffer, kernel.buffer, initrd.buffer],
    );
    for (const { message, transfer } of unsent) this.post(message, transfer);
    (o.volumes ?? []).forEach((v, volume) => {
      const watch = v.fs.onDidChange?.((path) => this.post({ type: 'fsChanged', volume, path }));
      if (watch !== undefined) this.watches.push(watch);
    });
  }

  private addSession(id: number): SessionImpl {
    const closed = (): void => {
      if (id === 1) void this.stop();
    };
    const session = new SessionImpl(id, this.post, closed);
    this.sessions.set(id, session);
    return session;
  }

  /** Another process in the same container. */
  spawn(process: ProcessOptions): Promise<Session> {
    if (!this.running || this.stopping)
      return Promise.reject(new Error('The container has stopped; start it again.'));
    const request = this.nextRequest++;
    return new Promise((resolve, reject) => {
      this.spawning.set(request, { resolve, reject });
      this.post({ type: 'spawn', request, process });
    });
  }

  /** Asks the container to end, writes the workspace's files, then ends the worker. */
  stop(): Promise<Stopped> {
    return this.endBy('shutdown');
  }

  /** As stop, without asking the guest. */
  kill(): Promise<Stopped> {
    return this.endBy('kill');
  }

  private endBy(type: 'shutdown' | 'kill'): Promise<Stopped> {
    if (this.running && this.worker === undefined) {
      this.finish({ reason: 'poweroff', message: '' });
    } else if (this.running && (!this.stopping || type === 'kill')) {
      this.stopping = true;
      this.post({ type });
      this.deadline ??= setTimeout(
        () => this.finish({ reason: 'poweroff', message: '' }),
        STOP_MS,
      );
    }
    return this.stopped;
  }

  dispose(): void {
    void this.kill();
  }

  /** Figures for a status display. */
  getStats(): Promise<{
    instructions: number;
    memory: number;
    busyMs: number;
    engine: Readonly<Record<string, number>>;
  }> {
    if (!this.running)
      return Promise.resolve({ instructions: 0, memory: 0, busyMs: 0, engine: {} });
    return new Promise((resolve) => {
      this.stats.push(resolve);
      this.post({ type: 'stats' });
    });
  }

  /**
   * Code that is hot now, as text, so that it can be translated ahead the next time. Of the guest's kernel: to be put after
   * the kernel's file; empty while a program runs, or nothing does. Of programs: whose pages they are has to be found by
   * their hashes, and the text then is a file in the image (`docs/jit.md`).
   */
  getProfile(of: 'kernel' | 'programs' = 'kernel'): Promise<string> {
    if (!this.running) return Promise.resolve('');
    return new Promise((resolve) => {
      this.profiles.push(resolve);
      this.post({ type: 'profile', of });
    });
  }

  private receive(m: FromWorker): void {
    const o = this.options;
    switch (m.type) {
      case 'progress':
        return o.onProgress?.(m.progress);
      case 'started':
        return;
      case 'output':
        return this.sessions.get(m.session)?.deliver(m.data, m.stream);
      case 'exited':
        this.sessions.get(m.session)?.ended(m.status);
        this.sessions.delete(m.session);
        return;
      case 'message':
        if (m.session === 0) o.onMessage?.(m.text);
        else this.sessions.get(m.session)?.message(m.text);
        return;
      case 'console':
        return o.onConsole?.(m.data);
      case 'log':
        return o.onLog?.(m.level, m.text);
      case 'spawned': {
        const pending = this.spawning.get(m.request);
        this.spawning.delete(m.request);
        pending?.resolve(this.addSession(m.session));
        return;
      }
      case 'spawnFailed': {
        const pending = this.spawning.get(m.request);
        this.spawning.delete(m.request);
        pending?.reject(new Error(m.message));
        return;
      }
      case 'fsRequest':
        void this.serve(m);
        return;
      case 'stats':
        this.stats.shift()?.(m);
        return;
      case 'profile':
        this.profiles.shift()?.(m.text);
        return;
      case 'stopped':
        return this.finish({ reason: m.reason, message: m.message });
    }
  }

  private async serve(m: Extract<FromWorker, { type: 'fsRequest' }>): Promise<void> {
    const { volume, id } = m;
    const v = this.options.volumes?.[volume];
    try {
      if (v === undefined) throw new Error(`no volume ${volume}`);
      const encoder = new TextEncoder();
      const data = await serveRemote(v.fs, m, (text) => encoder.encode(text), v.readonly === true);
      this.post({ type: 'fsDone', volume, id, data }, [data.buffer]);
    } catch (error) {
      const code = remoteErrorCode(error);
      if (code === 'Unavailable' || code === 'Unknown')
        this.options.onLog?.('warn', `Workspace file "${m.path}": ${String(error)}`);
      this.post({ type: 'fsFail', volume, id, code });
    }
  }

  private finish(stopped: Stopped): void {
    if (!this.running) return;
    this.running = false;
    clearTimeout(this.deadline);
    this.worker?.terminate();
    for (const watch of this.watches.splice(0)) watch.dispose();
    const error = new Error(stopped.message !== '' ? stopped.message : 'The container has stopped.');
    for (const pending of this.spawning.values()) pending.reject(error);
    this.spawning.clear();
    for (const session of this.sessions.values()) session.ended(undefined);
    this.sessions.clear();
    for (const resolve of this.profiles.splice(0)) resolve('');
    for (const resolve of this.stats.splice(0)) resolve({ type: 'stats', instructions: 0, memory: 0, busyMs: 0, engine: {} });
    this.resolveStopped(stopped);
  }
}

export function startContainer(options: ContainerOptions): Container {
  return new Container(options);
}
