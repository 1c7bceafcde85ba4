// Unpacked images on the browser's disk (origin private file system), so that a second run does not
// read the image again. Folder "berth-images", a pair of files for each image:
//
//   v1-<hex of the manifest's digest>.blob   the store: contents of all files
//   v1-<hex of the manifest's digest>.tree   u64 size of the store, then the saved tree
//
// The tree is written last: without it the blob is worthless. A file that is in use is locked, so
// nothing here takes anything away from another tab.
import type { Bytes } from '../common/messages.js';
import { FileStore, MemoryStore, type BlobStore, type SyncFile } from './store.js';

const FOLDER = 'berth-images';
const FORMAT = 'v1';
const MAX_IMAGES = 4;
const HEADER = 8;

// Newer than TypeScript's library.
interface ModeHandle {
  createSyncAccessHandle(options?: { mode: 'read-only' }): Promise<FileSystemSyncAccessHandle>;
}

function syncFile(handle: FileSystemSyncAccessHandle): SyncFile {
  return {
    read: (buffer, options) => handle.read(buffer as Bytes, options),
    write: (buffer, options) => handle.write(buffer as Bytes, options),
    flush: () => handle.flush(),
    close: () => handle.close(),
  };
}

// Several readers at a time, where the browser can do that.
function openShared(blob: FileSystemFileHandle): Promise<FileSystemSyncAccessHandle> {
  return (blob as unknown as ModeHandle).createSyncAccessHandle({ mode: 'read-only' });
}

/** A place for an image that is being read. */
export interface NewImage {
  readonly store: BlobStore;
  /** The image is complete; keeps it for later runs if that is possible. */
  keep(tree: Bytes): Promise<void>;
}

export interface KeptImage {
  readonly store: BlobStore;
  readonly storeSize: number;
  readonly tree: Bytes;
}

export class ImageCache {
  private constructor(
    private readonly folder: FileSystemDirectoryHandle | undefined,
    private readonly note: (text: string) => void,
  ) {}

  /** `note` hears what cannot be done, and why. */
  static async open(note: (text: string) => void): Promise<ImageCache> {
    try {
      const root = await navigator.storage.getDirectory();
      return new ImageCache(await root.getDirectoryHandle(FOLDER, { create: true }), note);
    } catch (error) {
      note(`The image is kept in memory, because the browser's private file system cannot be used: ${String(error)}`);
      return new ImageCache(undefined, note);
    }
  }

  private name(digest: string): string | undefined {
    const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
    return hex === undefined ? undefined : `${FORMAT}-${hex}`;
  }

  private async remove(name: string): Promise<void> {
    await this.folder?.removeEntry(name).catch(() => undefined);
  }

  // The blob first: where that is in use, the tree stays too.
  private async removeImage(name: string): Promise<void> {
    try {
      await this.folder?.removeEntry(`${name}.blob`);
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'NotFoundError')) return;
    }
    await this.remove(`${name}.tree`);
  }

  async find(digest: string): Promise<KeptImage | undefined> {
    const name = this.name(digest);
    if (this.folder === undefined || name === undefined) return undefined;
    try {
      const treeFile = await (await this.folder.getFileHandle(`${name}.tree`)).getFile();
      const tree = new Uint8Array(await treeFile.arrayBuffer());
      if (tree.length < HEADER) throw new Error('its tree is cut off');
      const storeSize = Number(new DataView(tree.buffer).getBigUint64(0, true));
      const blob = await this.folder.getFileHandle(`${name}.blob`);
      const handle = await openShared(blob);
      const store = new FileStore(syncFile(handle), undefined, handle.getSize());
      if (store.size >= storeSize) return { store, storeSize, tree: tree.subarray(HEADER) };
      await store.close();
      throw new Error('its contents are cut off');
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'NotFoundError'))
        this.note(`The image kept from an earlier run cannot be used: ${String(error)}`);
      return undefined;
    }
  }

  /** Something kept turned out to be unusable. */
  async forget(digest: string): Promise<void> {
    const name = this.name(digest);
    if (name !== undefined) await this.removeImage(name);
  }

  async create(digest: string): Promise<NewImage> {
    const name = this.name(digest);
    if (this.folder !== undefined && name !== undefined) {
      try {
        await this.makeRoom(name);
        return await this.createFile(this.folder, name);
      } catch (error) {
        this.note(`The image is not kept for later runs: ${String(error)}`);
      }
    }
    return { store: new MemoryStore(), keep: () => Promise.resolve() };
  }

  // Removes what no run completed, and the oldest images. What is in use stays: it is locked.
  private async makeRoom(name: string): Promise<void> {
    const folder = this.folder!;
    const trees: { base: string; age: number }[] = [];
    const blobs: string[] = [];
    for await (const [entry, handle] of folder.entries()) {
      const base = entry.replace(/\.[^.]*$/, '');
      if (base === name) continue;
      if (entry.endsWith('.blob')) blobs.push(base);
      if (entry.endsWith('.tree') && handle.kind === 'file')
        trees.push({ base, age: (await (handle as FileSystemFileHandle).getFile()).lastModified });
    }
    trees.sort((a, b) => b.age - a.age);
    const kept = new Set(trees.slice(0, MAX_IMAGES - 1).map((t) => t.base));
    for (const base of new Set([...blobs, ...trees.map((t) => t.base)]))
      if (!kept.has(base)) await this.removeImage(base);
  }

  private async createFile(folder: FileSystemDirectoryHandle, name: string): Promise<NewImage> {
    const blob = await folder.getFileHandle(`${name}.blob`, { create: true });
    const handle = await blob.createSyncAccessHandle(); // fails while another tab uses the image
    await this.remove(`${name}.tree`);
    handle.truncate(0);
    let complete = false;
    const closed = async (): Promise<void> => {
      if (!complete) await this.remove(`${name}.blob`);
    };
    const store = new FileStore(syncFile(handle), closed);
    const keep = async (tree: Bytes): Promise<void> => {
      store.sync();
      const file = await folder.getFileHandle(`${name}.tree`, { create: true });
      const out = await file.createSyncAccessHandle();
      try {
        const header = new DataView(new ArrayBuffer(HEADER));
        header.setBigUint64(0, BigInt(store.size), true);
        out.truncate(0);
        out.write(tree, { at: HEADER });
        out.flush();
        out.write(header, { at: 0 }); // a tree without its header is not valid: storeSize 0
        out.flush();
        complete = true;
      } finally {
        out.close();
        if (!complete) await this.remove(`${name}.tree`);
      }
      // From now on other tabs may read it too.
      handle.close();
      store.reopen(syncFile(await openShared(blob)));
    };
    return { store, keep };
  }
}
