// The running virtual machines, one for each image. A further terminal for an image that runs joins
// its machine; the first terminal of a machine holds the container's main process.
import {
  fetchBytes,
  fetchText,
  imageArchitecture,
  startContainer,
  type Container,
  type LogLevel,
  type Progress,
  type Session,
  type Stopped,
} from 'berth';
import * as vscode from 'vscode';
import type { Settings } from './settings.js';
import { workspaceVolumes } from './workspace.js';

const ENV = { TERM: 'xterm-256color', COLORTERM: 'truecolor' };

export type MachineState = 'starting' | 'running' | 'stopping';

export interface Size {
  readonly cols: number;
  readonly rows: number;
}

// Turns a stream of bytes into whole lines for the log.
class LineSplitter {
  private readonly decoder = new TextDecoder();
  private rest = '';

  constructor(private readonly line: (text: string) => void) {}

  add(data: Uint8Array): void {
    const lines = (this.rest + this.decoder.decode(data, { stream: true })).split('\n');
    this.rest = lines.pop() ?? '';
    for (const l of lines) this.line(l.replace(/\r$/, ''));
  }

  end(): void {
    if (this.rest !== '') this.line(this.rest);
    this.rest = '';
  }
}

export class Machine implements vscode.Disposable {
  readonly container: Container;
  readonly imageUrl: string;
  private readonly progressEmitter = new vscode.EventEmitter<Progress>();
  private readonly stateEmitter = new vscode.EventEmitter<void>();
  readonly onProgress = this.progressEmitter.event;
  readonly onState = this.stateEmitter.event;
  private current: MachineState = 'starting';

  constructor(
    readonly settings: Settings,
    assets: vscode.Uri,
    size: Size,
    log: vscode.LogOutputChannel,
  ) {
    this.imageUrl = settings.imageUrl;
    const asset = (...path: string[]): string =>
      vscode.Uri.joinPath(assets, ...path).toString(true);
    const kernelLog = new LineSplitter((line) => log.info(`kernel: ${line}`));
    const arch = imageArchitecture(settings.imageUrl);
    // The worker's source must be there before there is a worker; everything else loads beside it.
    this.container = startContainer({
      worker: fetchText(asset('worker.js')),
      wasm: fetchBytes(asset('berth.wasm')),
      arch,
      kernel: arch.then((a) => fetchBytes(asset(a, 'Image.gz'))),
      initrd: arch.then((a) => fetchBytes(asset(a, 'initramfs.gz'))),
      image: { url: settings.imageUrl },
      memory: settings.memory,
      volumes: workspaceVolumes(settings.mountpoint),
      process: { env: ENV, defaultEnv: { LANG: 'C.UTF-8' }, ...size },
      onProgress: (p) => this.progress(p),
      onLog: (level, text) => logAt(log, level, text),
      onConsole: (data) => kernelLog.add(data),
      onMessage: (text) => {
        log.warn(text);
        void vscode.window.showWarningMessage(`Container: ${text}`);
      },
    });
    void this.container.main.exited.then((status) => {
      log.info(`The container's main process ended with status ${status ?? 'unknown'}.`);
      this.setState('stopping');
    });
    void this.container.stopped.then((stopped) => {
      kernelLog.end();
      log.info(`The virtual machine has stopped (${stopped.reason}). ${stopped.message}`);
      this.setState('stopping');
    });
  }

  get state(): MachineState {
    return this.current;
  }

  private setState(state: MachineState): void {
    if (this.current === state) return;
    this.current = state;
    this.stateEmitter.fire();
  }

  private progress(p: Progress): void {
    this.progressEmitter.fire(p);
    if (p.step === 'boot' && p.done && this.current === 'starting') this.setState('running');
  }

  /** One more shell. */
  shell(size: Size): Promise<Session> {
    return this.container.spawn({ shell: true, env: ENV, defaultEnv: { LANG: 'C.UTF-8' }, ...size });
  }

  stop(): Promise<Stopped> {
    this.setState('stopping');
    return this.container.stop();
  }

  dispose(): void {
    this.container.dispose();
    this.progressEmitter.dispose();
    this.stateEmitter.dispose();
  }
}

function logAt(log: vscode.LogOutputChannel, level: LogLevel, text: string): void {
  switch (level) {
    case 'error':
      return log.error(text);
    case 'warn':
      return log.warn(text);
    case 'info':
      return log.info(text);
    case 'debug':
      return log.debug(text);
  }
}

export class Machines implements vscode.Disposable {
  private readonly machines = new Set<Machine>();
  private readonly changeEmitter = new vscode.EventEmitter<void>();
  /** A machine came, went or changed its state. */
  readonly onChange = this.changeEmitter.event;
  private readonly assets: vscode.Uri;

  constructor(
    extension: vscode.Uri,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.assets = vscode.Uri.joinPath(extension, 'dist');
  }

  get all(): readonly Machine[] {
    return [...this.machines];
  }

  /** The machine that a new terminal for this image joins, if there is one. */
  find(imageUrl: string): Machine | undefined {
    return this.all.find((m) => m.imageUrl === imageUrl && m.state !== 'stopping');
  }

  start(settings: Settings, size: Size): Machine {
    for (const note of settings.notes) {
      this.log.warn(note);
      void vscode.window.showWarningMessage(note);
    }
    this.log.info(`Starting ${settings.imageUrl}`);
    const machine = new Machine(settings, this.assets, size, this.log);
    this.machines.add(machine);
    const changed = machine.onState(() => this.changeEmitter.fire());
    void machine.container.stopped.then(() => {
      changed.dispose();
      this.machines.delete(machine);
      machine.dispose();
      this.changeEmitter.fire();
    });
    this.changeEmitter.fire();
    return machine;
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.all.map((m) => m.stop()));
  }

  dispose(): void {
    for (const machine of this.all) machine.dispose();
    this.changeEmitter.dispose();
  }
}
