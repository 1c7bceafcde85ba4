// Reads an OCI image layout from a URL into the engine, reporting progress; layers only if the image
// is not kept from an earlier run.
import type { Progress } from '../common/messages.js';
import { download, layoutUrl, type DownloadSettings } from './download.js';
import { EngineError, type BlobRequest, type Engine } from './engine.js';
import type { ImageCache, NewImage } from './imagecache.js';
import type { LateStore } from './store.js';

const REPORT_MS = 100;
const FEED_MAX = 1 << 18; // bytes given to the engine at a time

function describe(request: BlobRequest): string {
  if (request.layer > 0) return `layer ${request.layer} of ${request.layers}`;
  if (request.path === 'oci-layout') return "the image layout's marker file";
  if (request.path === 'index.json') return "the image's index";
  return "the image's manifest or configuration";
}

export interface PullContext {
  readonly engine: Engine;
  readonly store: LateStore;
  readonly cache: ImageCache;
  readonly url: string;
  readonly download: DownloadSettings;
  readonly report: (progress: Progress) => void;
  readonly note: (text: string) => void;
}

async function pullBlob(c: PullContext, request: BlobRequest): Promise<number> {
  const what = describe(request);
  const total = request.size > 0 ? request.size : undefined;
  const text = request.layer > 0 ? `Image, ${what}` : 'Image';
  let got = 0;
  let reported = 0;
  const tell = (): void =>
    c.report({ step: 'image', text, bytes: got, ...(total !== undefined && { total }), done: false });
  tell();
  // Blobs never change; the index does.
  const fixed = request.path.startsWith('blobs/');
  const blob = { url: layoutUrl(c.url, request.path), size: request.size, what, fixed };
  await download(blob, c.download, (chunk) => {
    for (let at = 0; at < chunk.length; at += FEED_MAX)
      c.engine.pullFeed(chunk.subarray(at, at + FEED_MAX));
    got += chunk.length;
    const now = performance.now();
    if (now - reported < REPORT_MS) return;
    reported = now;
    tell();
  });
  c.engine.pullEnd();
  return got;
}

async function useKept(c: PullContext): Promise<boolean> {
  const kept = await c.cache.find(c.engine.imageDigest);
  if (kept === undefined) return false;
  try {
    c.engine.loadTree(kept.tree, kept.storeSize);
  } catch (error) {
    await kept.store.close();
    await c.cache.forget(c.engine.imageDigest);
    if (!(error instanceof EngineError)) throw error;
    c.note(`The image kept from an earlier run is damaged (${error.message}); reading it again.`);
    return false;
  }
  c.store.use(kept.store);
  return true;
}

async function keep(c: PullContext, image: NewImage): Promise<void> {
  try {
    await image.keep(c.engine.saveTree());
  } catch (error) {
    c.note(`The image is not kept for later runs: ${String(error)}`);
  }
}

async function pull(c: PullContext): Promise<void> {
  let bytes = 0;
  let layers = 0;
  let image: NewImage | undefined;
  for (let request = c.engine.pullNext(); request !== undefined; request = c.engine.pullNext()) {
    if (request.layer > 0 && image === undefined) {
      if (await useKept(c)) {
        c.report({ step: 'image', text: 'Image (kept from an earlier run)', done: true });
        return;
      }
      image = await c.cache.create(c.engine.imageDigest);
      c.store.use(image.store);
      layers = request.layers;
    }
    bytes += await pullBlob(c, request);
  }
  if (image !== undefined) await keep(c, image);
  const text = `Image, ${layers} layer${layers === 1 ? '' : 's'}`;
  c.report({ step: 'image', text, bytes, done: true });
}

/** The last report, with `done`, says how the image came. The engine's errors do not know the URL. */
export async function pullImage(c: PullContext): Promise<void> {
  try {
    await pull(c);
  } catch (error) {
    if (error instanceof EngineError) throw new EngineError(`Image ${c.url}: ${error.message}`);
    throw error;
  }
}
