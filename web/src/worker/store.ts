// Where the image's file contents lie: append-only bytes, read synchronously at any offset. A file
// of the origin private file system where there is one (the browser's disk), else memory.
import type { Bytes } from '../common/messages.js';

export interface BlobStore {
  /** What it is, for the log. */
  readonly kind: string;
  /** Offset of the first byte; throws when it is full. */
  append(data: Uint8Array): number;
  readonly size: number;
  /** False when [offset, offset + length) was not appended, or the file cannot be read. */
  read(offset: number, out: Uint8Array): boolean;
  close(): Promise<void>;
}

const CHUNK = 1 << 20;

export class MemoryStore implements BlobStore {
  readonly kind = 'memory';
  private readonly chunks: Bytes[] = [];
  private length = 0;

  get size(): number {
    return this.length;
  }

  append(data: Uint8Array): number {
    const start = this.length;
    for (let done = 0; done < data.length; ) {
      const within = this.length % CHUNK;
      if (within === 0) this.chunks.push(new Uint8Array(CHUNK));
      const part = data.subarray(done, done + CHUNK - within);
      this.chunks[this.chunks.length - 1]!.set(part, within);
      this.length += part.length;
      done += part.length;
    }
    return start;
  }

  read(offset: number, out: Uint8Array): boolean {
    if (offset < 0 || offset + out.length > this.length) return false;
    for (let done = 0; done < out.length; ) {
      const at = offset + done;
      const within = at % CHUNK;
      const length = Math.min(out.length - done, CHUNK - within);
      out.set(this.chunks[Math.floor(at / CHUNK)]!.subarray(within, within + length), done);
      done += length;
    }
    return true;
  }

  close(): Promise<void> {
    this.chunks.length = 0;
    this.length = 0;
    return Promise.resolve();
  }
}

/** The part of FileSystemSyncAccessHandle that is used. */
export interface SyncFile {
  read(buffer: Uint8Array, options: { at: number }): number;
  write(buffer: Uint8Array, options: { at: number }): number;
  flush(): void;
  close(): void;
}

/** Appends are gathered, because a small write to the file costs as much as a big one. */
export class FileStore implements BlobStore {
  readonly kind = 'disk (OPFS)';
  private readonly tail = new Uint8Array(CHUNK);
  private tailLength = 0;
  private flushed: number;

  /** `size`: what the file holds already. `closed` is called after the file was closed. */
  constructor(
    private file: SyncFile,
    private readonly closed: () => Promise<void> = () => Promise.resolve(),
    size = 0,
  ) {
    this.flushed = size;
  }

  get size(): number {
    return this.flushed + this.tailLength;
  }

  flush(): void {
    for (let done = 0; done < this.tailLength; ) {
      const n = this.file.write(this.tail.subarray(done, this.tailLength), {
        at: this.flushed + done,
      });
      if (n <= 0) throw new Error("the browser's storage takes no more data");
      done += n;
    }
    this.flushed += this.tailLength;
    this.tailLength = 0;
  }

  /** Everything is in the file, and the file on the disk. */
  sync(): void {
    this.flush();
    this.file.flush();
  }

  /** The same file, opened otherwise. */
  reopen(file: SyncFile): void {
    this.file = file;
  }

  append(data: Uint8Array): number {
    const start = this.flushed + this.tailLength;
    for (let done = 0; done < data.length; ) {
      const part = data.subarray(done, done + CHUNK - this.tailLength);
      this.tail.set(part, this.tailLength);
      this.tailLength += part.length;
      done += part.length;
      if (this.tailLength === CHUNK) this.flush();
    }
    return start;
  }

  read(offset: number, out: Uint8Array): boolean {
    if (offset < 0 || offset + out.length > this.flushed + this.tailLength) return false;
    let done = 0;
    while (done < out.length && offset + done < this.flushed) {
      const length = Math.min(out.length - done, this.flushed - offset - done);
      const n = this.file.read(out.subarray(done, done + length), { at: offset + done });
      if (n <= 0) return false;
      done += n;
    }
    const within = offset + done - this.flushed;
    if (done < out.length) out.set(this.tail.subarray(within, within + out.length - done), done);
    return true;
  }

  async close(): Promise<void> {
    this.file.close();
    await this.closed();
  }
}

/** Stands for the store that is chosen when it is known which image it is for. */
export class LateStore implements BlobStore {
  private target: BlobStore | undefined;

  use(store: BlobStore): void {
    this.target = store;
  }

  get kind(): string {
    return this.target?.kind ?? 'nothing yet';
  }

  get size(): number {
    return this.target?.size ?? 0;
  }

  append(data: Uint8Array): number {
    if (this.target === undefined) throw new Error('nothing can be stored yet');
    return this.target.append(data);
  }

  read(offset: number, out: Uint8Array): boolean {
    return this.target?.read(offset, out) ?? false;
  }

  async close(): Promise<void> {
    await this.target?.close();
  }
}
