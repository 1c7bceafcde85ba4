// A step of the start as one line of text.
import type { Progress } from '../common/messages.js';

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

export function formatProgress(p: Progress): string {
  const mark = p.done ? ' done' : ' ...';
  if (p.bytes === undefined || p.bytes === 0) return `${p.text}${mark}`;
  if (p.done || p.total === undefined) return `${p.text}: ${megabytes(p.bytes)} MB${mark}`;
  const percent = Math.floor((100 * p.bytes) / p.total);
  return `${p.text}: ${megabytes(p.bytes)} of ${megabytes(p.total)} MB (${percent} %)${mark}`;
}
