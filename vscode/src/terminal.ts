// A terminal on a container: opened at once, shows the start in place, then is the session's
// terminal until the process ends.
import { formatProgress, TerminalPacer, type Progress, type Session } from 'berth';
import * as vscode from 'vscode';
import type { Machine, Machines, Size } from './machines.js';
import { readSettings, SettingsError } from './settings.js';

const CLEAR_LINE = '\r\x1b[2K';
const dim = (text: string): string => `\x1b[2m${text}\x1b[0m`;
const red = (text: string): string => `\x1b[31m${text}\x1b[0m`;
const CTRL_C = '\x03';

export class ContainerTerminal implements vscode.Pseudoterminal {
  private readonly writeEmitter = new vscode.EventEmitter<string>();
  private readonly closeEmitter = new vscode.EventEmitter<number | void>();
  readonly onDidWrite = this.writeEmitter.event;
  readonly onDidClose = this.closeEmitter.event;
  private readonly pacer = new TerminalPacer((text) => this.writeEmitter.fire(text));
  private readonly decoder = new TextDecoder();
  private readonly disposables: vscode.Disposable[] = [];
  private size: Size = { cols: 80, rows: 24 };
  private machine: Machine | undefined;
  private session: Session | undefined;
  private state: 'loading' | 'running' | 'waitingForKey' | 'closed' = 'loading';

  constructor(
    private readonly machines: Machines,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  // --- called by VS Code ---

  open(dimensions: vscode.TerminalDimensions | undefined): void {
    if (dimensions !== undefined) this.setSize(dimensions);
    this.reveal();
    void this.run().catch((error: unknown) => this.failed(error));
  }

  // A terminal made from a profile while the panel is closed stays hidden otherwise.
  private reveal(): void {
    const own = (t: vscode.Terminal): boolean =>
      'pty' in t.creationOptions && t.creationOptions.pty === this;
    vscode.window.terminals.find(own)?.show();
  }

  close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.session?.dispose();
    if (this.ownsMachine) void this.machine?.stop();
    this.dispose();
  }

  // The first terminal of a machine takes the machine with it.
  private get ownsMachine(): boolean {
    return this.session !== undefined && this.session === this.machine?.container.main;
  }

  handleInput(data: string): void {
    const typed = this.pacer.input(data);
    if (typed === '') return;
    if (this.state === 'waitingForKey') return this.finish(1);
    if (this.state === 'loading' && typed.includes(CTRL_C)) return this.cancel();
    this.session?.write(typed);
  }

  setDimensions(dimensions: vscode.TerminalDimensions): void {
    this.setSize(dimensions);
    this.session?.resize(this.size.cols, this.size.rows);
  }

  private setSize(d: vscode.TerminalDimensions): void {
    this.size = { cols: d.columns, rows: d.rows };
  }

  // --- the session ---

  private async run(): Promise<void> {
    const settings = readSettings();
    const running = this.machines.find(settings.imageUrl);
    const machine = running ?? this.machines.start(settings, this.size);
    this.machine = machine;
    this.disposables.push(machine.onProgress((p) => this.progress(p)));
    if (running !== undefined) this.write(dim('Opening a shell in the running container\r\n'));
    const session = running !== undefined ? await this.join(running) : machine.container.main;
    if (session === undefined) return;
    this.session = session;
    session.onMessage((text) => this.write(red(`${text}\r\n`)));
    session.onData((data) => {
      this.state = this.state === 'loading' ? 'running' : this.state;
      return this.pacer.output(this.decoder.decode(data, { stream: true }));
    });
    // The size may have changed while the session was made.
    session.resize(this.size.cols, this.size.rows);
    const status = await session.exited;
    if (status !== undefined) this.exited(status);
    else await this.machineStopped(machine);
  }

  private async join(machine: Machine): Promise<Session | undefined> {
    const session = await machine.shell(this.size);
    if (this.state !== 'closed') return session;
    session.dispose();
    return undefined;
  }

  private exited(status: number): void {
    const rest = this.decoder.decode();
    if (rest !== '') this.write(rest);
    if (status !== 0) this.write(`\r\n[process exited with status ${status}]\r\n`);
    this.finish(status);
  }

  private async machineStopped(machine: Machine): Promise<void> {
    const stopped = await machine.container.stopped;
    if (stopped.reason === 'failed') throw new Error(`The container broke down: ${stopped.message}`);
    // What could not start can mostly be put right in the settings.
    if (stopped.reason === 'error') throw new SettingsError('container.', stopped.message);
    if (stopped.message !== '') throw new Error(stopped.message);
    this.write(dim('\r\n[the container has stopped]\r\n'));
    this.finish(0);
  }

  private cancel(): void {
    this.write(`${CLEAR_LINE}${dim('Cancelled')}\r\n`);
    if (this.ownsMachine) void this.machine?.stop();
    this.finish(130);
  }

  // --- what the terminal shows by itself ---

  private write(text: string): void {
    if (this.state !== 'closed') this.writeEmitter.fire(text);
  }

  private progress(p: Progress): void {
    if (this.state !== 'loading') return;
    const text = formatProgress(p).slice(0, Math.max(this.size.cols - 1, 20));
    this.write(CLEAR_LINE + dim(text) + (p.done ? '\r\n' : ''));
    if (p.step === 'boot' && p.done) this.state = 'running';
  }

  private failed(error: unknown): void {
    if (this.state === 'closed') return;
    const message = error instanceof Error ? error.message : String(error);
    this.log.error(message);
    this.write(`${CLEAR_LINE}${red(message.replace(/\r?\n/g, '\r\n'))}\r\n`);
    this.write(dim('Press any key to close this terminal.\r\n'));
    this.state = 'waitingForKey';
    const setting = error instanceof SettingsError ? error.setting : undefined;
    // Once for a machine, not once for each of its terminals.
    if (this.session === undefined || this.ownsMachine) void this.notify(message, setting);
  }

  private async notify(message: string, setting: string | undefined): Promise<void> {
    const openSettings = 'Open Settings';
    const showLog = 'Show Log';
    const buttons = setting === undefined ? [showLog] : [openSettings, showLog];
    const choice = await vscode.window.showErrorMessage(message, ...buttons);
    if (choice === openSettings)
      await vscode.commands.executeCommand('workbench.action.openSettings', setting);
    if (choice === showLog) this.log.show();
  }

  private finish(code: number): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.closeEmitter.fire(code);
    this.dispose();
  }

  private dispose(): void {
    this.pacer.dispose();
    for (const d of this.disposables.splice(0)) d.dispose();
  }
}
