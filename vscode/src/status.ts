// Status bar: whether containers run here.
import * as vscode from 'vscode';
import type { Machines, MachineState } from './machines.js';

const LABEL: Record<MachineState, string> = {
  starting: '$(loading~spin) Container: starting',
  running: '$(vm-running) Container: running',
  stopping: '$(loading~spin) Container: stopping',
};

export class Status implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    'container-wasm.status',
    vscode.StatusBarAlignment.Left,
  );
  private readonly subscription: vscode.Disposable;

  constructor(private readonly machines: Machines) {
    this.item.name = 'Container';
    this.item.command = 'container-wasm.showLog';
    this.subscription = machines.onChange(() => this.update());
  }

  private update(): void {
    const all = this.machines.all;
    const shown = all.find((m) => m.state === 'running') ?? all[0];
    if (shown === undefined) return this.item.hide();
    const others = all.length > 1 ? ` (${all.length})` : '';
    this.item.text = LABEL[shown.state] + others;
    this.item.tooltip = `${all.map((m) => `${m.imageUrl}: ${m.state}`).join('\n')}\nClick for the log`;
    this.item.show();
  }

  dispose(): void {
    this.subscription.dispose();
    this.item.dispose();
  }
}
