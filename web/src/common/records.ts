// Options for the C side: NUL-terminated "key=value" records (src/host/web/settings.h).
import type { ProcessOptions, VmOptions } from './messages.js';

function record(key: string, value: string | number): string {
  const text = String(value);
  if (text.includes('\0')) throw new Error(`The option ${key} holds a NUL character; remove it.`);
  return `${key}=${text}\0`;
}

export function processRecords(p: ProcessOptions): string {
  let out = record('tty', 1);
  for (const arg of p.args ?? []) out += record('arg', arg);
  for (const [name, value] of Object.entries(p.env ?? {})) out += record('env', `${name}=${value}`);
  for (const [name, value] of Object.entries(p.defaultEnv ?? {}))
    out += record('default_env', `${name}=${value}`);
  if (p.entrypoint !== undefined) out += record('entrypoint', p.entrypoint);
  if (p.cwd !== undefined) out += record('cwd', p.cwd);
  if (p.user !== undefined) out += record('user', p.user);
  if (p.shell === true) out += record('shell', 1);
  if (p.cols !== undefined) out += record('cols', p.cols);
  if (p.rows !== undefined) out += record('rows', p.rows);
  return out;
}

export function vmRecords(vm: VmOptions): string {
  let out = record('arch', vm.arch);
  if (vm.memory !== undefined) out += record('memory', vm.memory);
  if (vm.engine !== undefined) out += record('engine', vm.engine);
  if (vm.no !== undefined) out += record('no', vm.no);
  if (vm.torture !== undefined) out += record('torture', vm.torture);
  if (vm.imageTag !== undefined) out += record('tag', vm.imageTag);
  if (vm.kernelCommandLine !== undefined) out += record('cmdline', vm.kernelCommandLine);
  if (vm.hostname !== undefined) out += record('hostname', vm.hostname);
  for (const v of vm.volumes) out += record('volume', `${v.readonly ? 'ro' : 'rw'}:${v.guest}`);
  return out + processRecords(vm.process);
}
