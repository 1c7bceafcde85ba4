// Reads an OCI image layout from a URL into the engine, reporting progress.
import type { Progress } from '../common/messages.js';
import { download, layoutUrl, type DownloadSettings } from './download.js';
import type { BlobRequest, Engine } from './engine.js';

const REPORT_MS = 100;
const FEED_MAX = 1 << 18; // bytes given to the engine at a time

function describe(request: BlobRequest): string {
  if (request.layer > 0) return `layer ${request.layer} of ${request.layers}`;
  if (request.path === 'oci-layout') return "the image layout's marker file";
  if (request.path === 'index.json') return "the image's index";
  return "the image's manifest or configuration";
}

export interface PullReport {
  readonly bytes: number;
  readonly layers: number;
}

export async function pullImage(
  engine: Engine,
  url: string,
  settings: DownloadSettings,
  report: (progress: Progress) => void,
): Promise<PullReport> {
  let bytes = 0;
  let layers = 0;
  for (let request = engine.pullNext(); request !== undefined; request = engine.pullNext()) {
    const what = describe(request);
    const total = request.size > 0 ? request.size : undefined;
    const text = request.layer > 0 ? `Image, ${what}` : 'Image';
    layers = Math.max(layers, request.layers);
    let got = 0;
    let reported = 0;
    const tell = (): void =>
      report({ step: 'image', text, bytes: got, ...(total !== undefined && { total }), done: false });
    tell();
    const blob = { url: layoutUrl(url, request.path), size: request.size, what };
    await download(blob, settings, (chunk) => {
      for (let at = 0; at < chunk.length; at += FEED_MAX)
        engine.pullFeed(chunk.subarray(at, at + FEED_MAX));
      got += chunk.length;
      const now = performance.now();
      if (now - reported < REPORT_MS) return;
      reported = now;
      tell();
    });
    engine.pullEnd();
    bytes += got;
  }
  return { bytes, layers };
}
