// Kernel and initramfs come gzip'd or plain.
import type { Bytes } from '../common/messages.js';

export async function gunzip(data: Bytes, what: string): Promise<Bytes> {
  if (data.length < 2 || data[0] !== 0x1f || data[1] !== 0x8b) return data;
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream('gzip'));
  try {
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch (error) {
    throw new Error(`${what} is damaged (${String(error)}). Install Berth again.`);
  }
}
