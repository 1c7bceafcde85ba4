// The file system that a volume shows to the container, as the page provides it. Same shape as
// vscode.workspace.fs, without its types. Paths are relative to the root, '/' between components,
// "" is the root.
import { RemoteOp, type Bytes } from './messages.js';

/** Bits of `RemoteStat.type`; a symbolic link is File or Directory with SymbolicLink added. */
export const FileKind = { File: 1, Directory: 2, SymbolicLink: 64 } as const;

export interface RemoteStat {
  readonly type: number;
  readonly readonly?: boolean;
  readonly size: number;
  readonly mtime: number; // ms since 1970
  readonly ctime: number;
}

export interface Disposable {
  dispose(): void;
}

/** Operations reject with a RemoteFsError, or any error with such a `code`. */
export interface RemoteFs {
  stat(path: string): Promise<RemoteStat>;
  readDirectory(path: string): Promise<readonly (readonly [string, number])[]>;
  readFile(path: string): Promise<Uint8Array>;
  writeFile(path: string, data: Uint8Array): Promise<void>;
  createDirectory(path: string): Promise<void>;
  /** A file, or an empty directory. */
  delete(path: string): Promise<void>;
  /** Replaces an existing target. */
  rename(from: string, to: string): Promise<void>;
  /** Tells of changes by anybody; "" when it is not known what changed. */
  onDidChange?(listener: (path: string) => void): Disposable;
}

export type RemoteFsCode =
  | 'FileNotFound'
  | 'FileExists'
  | 'FileNotADirectory'
  | 'FileIsADirectory'
  | 'NoPermissions'
  | 'Unavailable';

export class RemoteFsError extends Error {
  constructor(
    readonly code: RemoteFsCode,
    message: string,
  ) {
    super(message);
  }
}

export interface RemoteRequest {
  readonly op: RemoteOp;
  readonly path: string;
  readonly path2?: string;
  readonly data?: Bytes;
}

const STAT_LENGTH = 32;

// REMOTE_STAT's payload of src/p9/fs_remote.h.
function packStat(s: RemoteStat): Bytes {
  const out = new Uint8Array(STAT_LENGTH);
  const view = new DataView(out.buffer);
  view.setUint32(0, s.type, true);
  view.setUint32(4, s.readonly === true ? 1 : 0, true);
  const u64 = (v: number): bigint => BigInt(Math.max(0, Math.floor(Number.isFinite(v) ? v : 0)));
  view.setBigUint64(8, u64(s.size), true);
  view.setBigUint64(16, u64(s.mtime), true);
  view.setBigUint64(24, u64(s.ctime), true);
  return out;
}

// REMOTE_READDIR's payload: u8 type, u16 length, name. Names longer than Linux can hold are left out.
function packDirectory(
  entries: readonly (readonly [string, number])[],
  encode: (text: string) => Uint8Array,
): Bytes {
  const names = entries
    .map(([name, type]) => ({ name: encode(name), type }))
    .filter((e) => e.name.length > 0 && e.name.length <= 255);
  const out = new Uint8Array(names.reduce((sum, e) => sum + 3 + e.name.length, 0));
  let at = 0;
  for (const e of names) {
    out[at] = e.type;
    out[at + 1] = e.name.length & 255;
    out[at + 2] = e.name.length >> 8;
    out.set(e.name, at + 3);
    at += 3 + e.name.length;
  }
  return out;
}

// The engine names single components and keeps to read-only volumes by itself; what it asks is checked
// again, because a guest may have broken it. A backslash separates too where the folder is Windows's.
function checkPath(path: string): void {
  const bad = (part: string): boolean => part === '..' || part.includes('\0');
  if (path.startsWith('/') || path.split(/[/\\]/).some(bad))
    throw new RemoteFsError('NoPermissions', `${JSON.stringify(path)} is not a path inside the volume.`);
}

const WRITES: ReadonlySet<RemoteOp> = new Set([
  RemoteOp.writeFile,
  RemoteOp.createDirectory,
  RemoteOp.delete,
  RemoteOp.rename,
]);

/** Carries out one request; the result is the payload of src/p9/fs_remote.h. */
export async function serveRemote(
  fs: RemoteFs,
  r: RemoteRequest,
  encode: (text: string) => Uint8Array,
  readonly = false,
): Promise<Bytes> {
  const nothing = new Uint8Array(0);
  checkPath(r.path);
  checkPath(r.path2 ?? '');
  if (readonly && WRITES.has(r.op))
    throw new RemoteFsError('NoPermissions', `${r.path}: the volume is read-only.`);
  switch (r.op) {
    case RemoteOp.stat:
      return packStat(await fs.stat(r.path));
    case RemoteOp.readDirectory:
      return packDirectory(await fs.readDirectory(r.path), encode);
    case RemoteOp.readFile:
      // A copy: providers may hand out their own buffer, and ours is transferred away.
      return new Uint8Array(await fs.readFile(r.path));
    case RemoteOp.writeFile:
      await fs.writeFile(r.path, r.data ?? nothing);
      return nothing;
    case RemoteOp.createDirectory:
      await fs.createDirectory(r.path);
      return nothing;
    case RemoteOp.delete:
      await fs.delete(r.path);
      return nothing;
    case RemoteOp.rename:
      await fs.rename(r.path, r.path2 ?? '');
      return nothing;
  }
}

/** The code of src/p9/fs_remote.h's table for whatever a provider threw. */
export function remoteErrorCode(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string')
    return error.code;
  return 'Unavailable';
}
