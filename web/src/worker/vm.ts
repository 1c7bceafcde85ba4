// One virtual machine inside its worker: starts it, drives it in slices between events, carries
// messages both ways, and ends it without losing workspace files.
//
// The guest runs in slices of a few milliseconds for at most one turn, then the event loop gets its
// chance through a MessageChannel (setTimeout would cost 4 ms). An idle guest costs nothing: the next
// turn comes with its timer or an event.
import {
  type Bytes,
  type FromWorker,
  type Progress,
  type StopReason,
  type ToWorker,
} from '../common/messages.js';
import { processRecords, vmRecords } from '../common/records.js';
import { DownloadError } from './download.js';
import { Engine, EngineError, MachineState } from './engine.js';
import { gunzip } from './gunzip.js';
import { pullImage } from './image.js';
import { Outbox } from './outbox.js';
import { ImageCache } from './imagecache.js';
import { LateStore } from './store.js';

const SLICE_MS = 3;
const TURN_MS = 10;
const SPIN_MS = 1; // timers nearer than this are waited for by yielding, not by setTimeout
const SHUTDOWN_MS = 8000; // for the guest to end politely
const FLUSH_MS = 15000; // for the workspace to take what is not written yet

type Phase = 'new' | 'loading' | 'running' | 'ending' | 'ended';
type Message<T extends ToWorker['type']> = Extract<ToWorker, { type: T }>;

export class Vm {
  private phase: Phase = 'new';
  private engine: Engine | undefined;
  private readonly store = new LateStore();
  private readonly outbox: Outbox;
  private readonly channel = new MessageChannel();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private yielding = false;
  private readonly input = new Map<number, Bytes[]>();
  private readonly early: ToWorker[] = []; // for sessions, while the image is still loading
  private readonly fsTimers = new Map<number, ReturnType<typeof setTimeout>>();
  private readonly flushing = new Set<number>();
  private readonly abort = new AbortController();
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private ending: { reason: StopReason; message: string } | undefined;
  private volumes = 0;
  private busyMs = 0;
  private booting = true;

  constructor(private readonly post: (message: FromWorker, transfer?: ArrayBuffer[]) => void) {
    this.outbox = new Outbox(post);
    this.channel.port1.onmessage = () => {
      this.yielding = false;
      this.guard(() => this.turn());
    };
  }

  handle(message: ToWorker): void {
    this.guard(() => this.dispatch(message));
  }

  // A trap inside the engine, or a bug here: nothing of the VM can be trusted after that.
  private guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.fail(error);
    }
  }

  private fail(error: unknown): void {
    if (this.phase === 'ended') return;
    const expected = error instanceof EngineError || error instanceof DownloadError;
    const text = error instanceof Error ? error.message : String(error);
    if (!expected && error instanceof Error) this.log(error.stack ?? text);
    this.outbox.flush();
    const broken = this.phase === 'running' || this.phase === 'ending';
    this.ended(
      'error',
      broken
        ? `The virtual machine broke down: ${text}. Please report this with the log. Files that the container wrote in the last second may not be in the workspace.`
        : text,
    );
  }

  private log(text: string): void {
    this.post({ type: 'log', level: 'error', text });
  }

  private progress(progress: Progress): void {
    this.post({ type: 'progress', progress });
  }

  // --- messages ---

  private dispatch(m: ToWorker): void {
    switch (m.type) {
      case 'start':
        if (this.phase === 'new') void this.start(m).catch((error: unknown) => this.fail(error));
        return;
      case 'shutdown':
        return this.shutdown();
      case 'kill':
        return this.kill();
      case 'stats':
        return this.post({
          type: 'stats',
          instructions: this.engine?.instructions ?? 0,
          memory: this.engine?.memorySize ?? 0,
          busyMs: this.busyMs,
          engine: this.engine?.figures ?? {},
        });
      case 'profile':
        return this.post({ type: 'profile', text: this.engine?.profile(m.of) ?? '' });
      default:
        if (this.phase === 'running' || this.phase === 'ending') this.deliver(m);
        else if (this.phase !== 'ended') this.early.push(m);
    }
  }

  private deliver(m: Exclude<ToWorker, Message<'start' | 'shutdown' | 'kill' | 'stats' | 'profile'>>): void {
    const engine = this.engine!;
    switch (m.type) {
      case 'spawn':
        this.spawn(m);
        break;
      case 'stdin': {
        const queue = this.input.get(m.session);
        if (queue !== undefined) queue.push(m.data);
        else this.input.set(m.session, [m.data]);
        break;
      }
      case 'stdinEof':
        engine.stdinEof(m.session);
        break;
      case 'resize':
        engine.resize(m.session, m.cols, m.rows);
        break;
      case 'signal':
        engine.signal(m.session, m.signal);
        break;
      case 'outputDone':
        engine.outputDone(m.session, m.bytes);
        break;
      case 'fsDone':
        engine.fsDone(m.volume, m.id, m.data);
        break;
      case 'fsFail':
        engine.fsFail(m.volume, m.id, m.code);
        break;
      case 'fsChanged':
        engine.fsChanged(m.volume, m.path);
        break;
    }
    this.wake();
  }

  private spawn(m: Message<'spawn'>): void {
    try {
      const session = this.engine!.spawn(processRecords(m.process));
      this.post({ type: 'spawned', request: m.request, session });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.post({ type: 'spawnFailed', request: m.request, message: error.message });
    }
  }

  // --- starting ---

  private async start(m: Message<'start'>): Promise<void> {
    this.phase = 'loading';
    this.volumes = m.options.volumes.length;
    this.progress({ step: 'engine', text: 'Engine', bytes: m.wasm.length, done: false });
    const note = (text: string): void => this.post({ type: 'log', level: 'warn', text });
    const [module, cache, kernel, initrd] = await Promise.all([
      WebAssembly.compile(m.wasm),
      ImageCache.open(note),
      gunzip(m.kernel, 'The guest kernel'),
      gunzip(m.initrd, 'The guest initramfs'),
    ]);
    if (this.abort.signal.aborted) return;
    const engine = new Engine(module, this.store, this.events());
    this.engine = engine;
    engine.create(vmRecords(m.options), kernel, initrd);
    this.progress({ step: 'engine', text: 'Engine', bytes: m.wasm.length, done: true });

    await pullImage({
      engine,
      store: this.store,
      cache,
      url: m.options.imageUrl,
      download: {
        fetch: (input, init) => fetch(input, init),
        retries: 4,
        retryDelayMs: 500,
        stallMs: 30000,
        note,
        signal: this.abort.signal,
      },
      report: (progress) => this.progress(progress),
      note,
    });
    if (this.abort.signal.aborted) return;
    this.post({ type: 'log', level: 'info', text: `The image's files are kept on: ${this.store.kind}` });
    this.progress({ step: 'boot', text: 'Starting Linux', done: false });
    engine.start();
    this.phase = 'running';
    this.post({ type: 'started' });
    for (const message of this.early.splice(0)) this.dispatch(message);
    this.wake();
  }

  private events(): ConstructorParameters<typeof Engine>[2] {
    return {
      log: (level, text) => this.post({ type: 'log', level, text }),
      output: (session, stream, data) => {
        this.booted();
        this.outbox.add({ type: 'output', session, stream }, data);
      },
      exited: (session, status) => {
        this.booted();
        this.outbox.flush();
        this.input.delete(session);
        this.post({ type: 'exited', session, status });
      },
      message: (session, text) => {
        this.outbox.flush();
        this.post({ type: 'message', session, text });
      },
      console: (data) => this.outbox.add({ type: 'console' }, data),
      fsRequest: (volume, id, op, path, path2, data) =>
        this.post(
          {
            type: 'fsRequest',
            volume,
            id,
            op,
            path,
            ...(path2 !== undefined && { path2 }),
            ...(data !== undefined && { data }),
          },
          data !== undefined ? [data.buffer] : [],
        ),
      fsTimer: (volume, delayMs) => {
        clearTimeout(this.fsTimers.get(volume));
        const fire = (): void => {
          if (this.phase === 'ended') return;
          this.engine!.fsTick(volume);
          this.wake();
        };
        this.fsTimers.set(volume, setTimeout(() => this.guard(fire), delayMs));
      },
      fsFlushed: (volume, errno) => this.flushed(volume, errno),
    };
  }

  // The first sign of life of a session ends the last step.
  private booted(): void {
    if (!this.booting) return;
    this.booting = false;
    this.progress({ step: 'boot', text: 'Starting Linux', done: true });
  }

  // --- running ---

  private wake(): void {
    if (this.phase !== 'running' || this.yielding) return;
    clearTimeout(this.timer);
    this.yielding = true;
    this.channel.port2.postMessage(null);
  }

  private turn(): void {
    if (this.phase !== 'running') return;
    const engine = this.engine!;
    const begin = performance.now();
    let state: MachineState;
    let now = begin;
    do {
      this.offerInput();
      state = engine.run(SLICE_MS);
      now = performance.now();
    } while (state === MachineState.Running && now - begin < TURN_MS);
    this.busyMs += now - begin;
    this.outbox.flush();
    switch (state) {
      case MachineState.Running:
        return this.wake();
      case MachineState.Idle:
        return this.sleep(now);
      case MachineState.PowerOff:
        return this.end('poweroff', '');
      case MachineState.Reboot:
        return this.end('poweroff', 'Linux in the container asked for a reboot; start it again.');
      case MachineState.Failed:
        return this.end('failed', engine.failure);
    }
  }

  private sleep(now: number): void {
    if (this.yielding) return; // an event came meanwhile
    const wake = this.engine!.wake;
    if (wake === undefined) return;
    if (wake - now < SPIN_MS) return this.wake();
    // Timers longer than 2^31 ms fire at once; none of the guest's needs more than an hour.
    const delay = Math.min(Math.floor(wake - now), 3_600_000);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.guard(() => this.turn()), delay);
  }

  private offerInput(): void {
    for (const [session, queue] of this.input) {
      while (queue.length > 0) {
        const data = queue[0]!;
        const taken = this.engine!.stdin(session, data);
        if (taken < data.length) {
          queue[0] = data.subarray(taken);
          break;
        }
        queue.shift();
      }
      if (queue.length === 0) this.input.delete(session);
    }
  }

  // --- ending ---

  private shutdown(): void {
    if (this.phase !== 'running') return this.kill();
    if (this.deadline !== undefined) return;
    this.engine!.shutdown();
    this.deadline = setTimeout(() => this.guard(() => this.kill()), SHUTDOWN_MS);
    this.wake();
  }

  private kill(): void {
    if (this.phase === 'running') return this.end('poweroff', '');
    if (this.phase === 'ending' || this.phase === 'ended') return;
    this.abort.abort();
    this.ended('poweroff', '');
  }

  // The guest runs no more; what it wrote to the workspace still has to arrive there.
  private end(reason: StopReason, message: string): void {
    this.phase = 'ending';
    clearTimeout(this.timer);
    clearTimeout(this.deadline);
    this.ending = { reason, message };
    this.deadline = setTimeout(() => {
      this.log('The workspace did not take all files in time; the last changes may be missing there.');
      this.ended(reason, message);
    }, FLUSH_MS);
    for (let v = 0; v < this.volumes; v++) this.flushing.add(v);
    for (let v = 0; v < this.volumes; v++) this.engine!.fsFlush(v);
    if (this.volumes === 0) this.ended(reason, message);
  }

  private flushed(volume: number, errno: number): void {
    if (errno !== 0) {
      const text = `Files written under the workspace folder could not be saved (error ${errno}). Check that the folder can be written.`;
      this.post({ type: 'message', session: 0, text });
    }
    if (!this.flushing.delete(volume) || this.flushing.size > 0) return;
    // Not from inside the engine's call.
    setTimeout(() => this.ended(this.ending!.reason, this.ending!.message), 0);
  }

  private ended(reason: StopReason, message: string): void {
    if (this.phase === 'ended') return;
    this.phase = 'ended';
    this.abort.abort();
    clearTimeout(this.timer);
    clearTimeout(this.deadline);
    for (const timer of this.fsTimers.values()) clearTimeout(timer);
    this.channel.port1.close();
    // The module's memory goes with the worker; only the file on disk has to be closed.
    const done = (): void => this.post({ type: 'stopped', reason, message });
    void this.store.close().then(done, done);
  }
}
