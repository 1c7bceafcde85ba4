// Gathers what the guest writes during one turn, so that the page gets few and large messages.
// Order between sessions, streams and the console is kept.
import type { Bytes, FromWorker } from '../common/messages.js';

type Kind =
  | { readonly type: 'output'; readonly session: number; readonly stream: 'stdout' | 'stderr' }
  | { readonly type: 'console' };

function same(a: Kind, b: Kind): boolean {
  if (a.type === 'console' || b.type === 'console') return a.type === b.type;
  return a.session === b.session && a.stream === b.stream;
}

export function joinBytes(parts: readonly Bytes[]): Bytes {
  if (parts.length === 1) return parts[0]!;
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

export class Outbox {
  private kind: Kind | undefined;
  private parts: Bytes[] = [];

  constructor(private readonly post: (message: FromWorker, transfer: ArrayBuffer[]) => void) {}

  add(kind: Kind, data: Bytes): void {
    if (this.kind !== undefined && !same(this.kind, kind)) this.flush();
    this.kind = kind;
    this.parts.push(data);
  }

  flush(): void {
    if (this.kind === undefined) return;
    const data = joinBytes(this.parts);
    this.post({ ...this.kind, data }, [data.buffer]);
    this.kind = undefined;
    this.parts = [];
  }
}
