// Entry of the web extension: registers the command, the terminal profile and the status bar.
import * as vscode from 'vscode';
import { Machines } from './machines.js';
import { Status } from './status.js';
import { ContainerTerminal } from './terminal.js';

const NAME = 'Container';

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel('Berth', { log: true });
  const machines = new Machines(context.extensionUri, log);
  const options = (): vscode.ExtensionTerminalOptions => ({
    name: NAME,
    iconPath: new vscode.ThemeIcon('vm'),
    pty: new ContainerTerminal(machines, log),
  });
  context.subscriptions.push(
    log,
    machines,
    new Status(machines),
    vscode.commands.registerCommand('container-wasm.run', () =>
      vscode.window.createTerminal(options()).show(),
    ),
    vscode.commands.registerCommand('container-wasm.stop', () => machines.stopAll()),
    vscode.commands.registerCommand('container-wasm.showLog', () => log.show()),
    vscode.window.registerTerminalProfileProvider('container-wasm.terminal', {
      provideTerminalProfile: () => new vscode.TerminalProfile(options()),
    }),
  );
}
