// A file system in the page's memory, for the demo page and for tests.
import { FileKind, RemoteFsError, type Disposable, type RemoteFs, type RemoteStat } from '../common/remotefs.js';

interface File {
  data: Uint8Array;
  mtime: number;
  ctime: number;
}
interface Folder {
  entries: Map<string, Node>;
  mtime: number;
  ctime: number;
}
type Node = File | Folder;

const isFolder = (n: Node): n is Folder => 'entries' in n;

export class MemoryFs implements RemoteFs {
  private readonly root: Folder = { entries: new Map(), mtime: Date.now(), ctime: Date.now() };
  private readonly listeners = new Set<(path: string) => void>();

  private find(path: string): Node {
    let node: Node = this.root;
    for (const name of path === '' ? [] : path.split('/')) {
      if (!isFolder(node)) throw new RemoteFsError('FileNotADirectory', path);
      const next: Node | undefined = node.entries.get(name);
      if (next === undefined) throw new RemoteFsError('FileNotFound', path);
      node = next;
    }
    return node;
  }

  private parent(path: string): [Folder, string] {
    const cut = path.lastIndexOf('/');
    const folder = this.find(cut < 0 ? '' : path.slice(0, cut));
    if (!isFolder(folder)) throw new RemoteFsError('FileNotADirectory', path);
    return [folder, path.slice(cut + 1)];
  }

  private changed(folder: Folder, ...paths: string[]): void {
    folder.mtime = Date.now();
    for (const listener of this.listeners) for (const path of paths) listener(path);
  }

  async stat(path: string): Promise<RemoteStat> {
    const n = this.find(path);
    return isFolder(n)
      ? { type: FileKind.Directory, size: 0, mtime: n.mtime, ctime: n.ctime }
      : { type: FileKind.File, size: n.data.length, mtime: n.mtime, ctime: n.ctime };
  }

  async readDirectory(path: string): Promise<[string, number][]> {
    const n = this.find(path);
    if (!isFolder(n)) throw new RemoteFsError('FileNotADirectory', path);
    return [...n.entries].map(([name, e]) => [name, isFolder(e) ? FileKind.Directory : FileKind.File]);
  }

  async readFile(path: string): Promise<Uint8Array> {
    const n = this.find(path);
    if (isFolder(n)) throw new RemoteFsError('FileIsADirectory', path);
    return n.data.slice();
  }

  async writeFile(path: string, data: Uint8Array): Promise<void> {
    const [folder, name] = this.parent(path);
    const old = folder.entries.get(name);
    if (old !== undefined && isFolder(old)) throw new RemoteFsError('FileIsADirectory', path);
    const now = Date.now();
    folder.entries.set(name, { data: data.slice(), mtime: now, ctime: old?.ctime ?? now });
    this.changed(folder, path);
  }

  async createDirectory(path: string): Promise<void> {
    const [folder, name] = this.parent(path);
    if (folder.entries.has(name)) throw new RemoteFsError('FileExists', path);
    folder.entries.set(name, { entries: new Map(), mtime: Date.now(), ctime: Date.now() });
    this.changed(folder, path);
  }

  async delete(path: string): Promise<void> {
    const n = this.find(path);
    if (isFolder(n) && n.entries.size > 0) throw new RemoteFsError('NoPermissions', `${path} is not empty`);
    const [folder, name] = this.parent(path);
    folder.entries.delete(name);
    this.changed(folder, path);
  }

  async rename(from: string, to: string): Promise<void> {
    const n = this.find(from);
    const [source, oldName] = this.parent(from);
    const [target, newName] = this.parent(to);
    source.entries.delete(oldName);
    target.entries.set(newName, n);
    this.changed(source, from);
    this.changed(target, to);
  }

  onDidChange(listener: (path: string) => void): Disposable {
    this.listeners.add(listener);
    return { dispose: () => this.listeners.delete(listener) };
  }
}
