// The opened folders as volumes of the container, over vscode.workspace.fs.
import type { Disposable, RemoteFs, RemoteStat, Volume } from 'berth';
import * as vscode from 'vscode';

class FolderFs implements RemoteFs {
  constructor(private readonly root: vscode.Uri) {}

  private uri(path: string): vscode.Uri {
    return path === '' ? this.root : vscode.Uri.joinPath(this.root, ...path.split('/'));
  }

  async stat(path: string): Promise<RemoteStat> {
    const s = await vscode.workspace.fs.stat(this.uri(path));
    const readonly = ((s.permissions ?? 0) & vscode.FilePermission.Readonly) !== 0;
    return { type: s.type, readonly, size: s.size, mtime: s.mtime, ctime: s.ctime };
  }

  async readDirectory(path: string): Promise<[string, number][]> {
    return vscode.workspace.fs.readDirectory(this.uri(path));
  }

  async readFile(path: string): Promise<Uint8Array> {
    return vscode.workspace.fs.readFile(this.uri(path));
  }

  async writeFile(path: string, data: Uint8Array): Promise<void> {
    await vscode.workspace.fs.writeFile(this.uri(path), data);
  }

  async createDirectory(path: string): Promise<void> {
    await vscode.workspace.fs.createDirectory(this.uri(path));
  }

  async delete(path: string): Promise<void> {
    await vscode.workspace.fs.delete(this.uri(path), { recursive: false, useTrash: false });
  }

  async rename(from: string, to: string): Promise<void> {
    await vscode.workspace.fs.rename(this.uri(from), this.uri(to), { overwrite: true });
  }

  onDidChange(listener: (path: string) => void): Disposable {
    const watcher = vscode.workspace.createFileSystemWatcher(
      new vscode.RelativePattern(this.root, '**/*'),
    );
    const prefix = this.root.path.replace(/\/$/, '') + '/';
    const tell = (uri: vscode.Uri): void => {
      if (uri.path.startsWith(prefix)) listener(uri.path.slice(prefix.length));
    };
    return vscode.Disposable.from(
      watcher,
      watcher.onDidCreate(tell),
      watcher.onDidChange(tell),
      watcher.onDidDelete(tell),
    );
  }
}

// A folder's name as one path component, made unique among `taken`.
function mountName(folder: vscode.WorkspaceFolder, taken: Set<string>): string {
  const plain = folder.name.replace(/[/\0]/g, '_');
  const base = plain === '' || plain === '.' || plain === '..' ? `folder${folder.index}` : plain;
  let name = base;
  for (let n = 2; taken.has(name); n++) name = `${base}-${n}`;
  taken.add(name);
  return name;
}

export function workspaceVolumes(mountpoint: string): Volume[] {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (mountpoint === '') return [];
  const taken = new Set<string>();
  return folders.map((folder) => ({
    guest: folders.length === 1 ? mountpoint : `${mountpoint}/${mountName(folder, taken)}`,
    fs: new FolderFs(folder.uri),
    readonly: vscode.workspace.fs.isWritableFileSystem(folder.uri.scheme) === false,
  }));
}
