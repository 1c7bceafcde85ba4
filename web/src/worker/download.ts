// Fetching one blob of an OCI layout as a stream: status and kind of the answer checked, broken
// transfers continued, errors that name the URL and say what to do.
import type { Bytes } from '../common/messages.js';

export interface DownloadRequest {
  readonly url: string;
  /** Expected bytes, 0 when not known. */
  readonly size: number;
  /** What it is, for messages: "the image's index". */
  readonly what: string;
  /** What is at the URL never changes: the browser's cache need not ask. */
  readonly fixed?: boolean;
}

export interface DownloadSettings {
  readonly fetch: typeof fetch;
  readonly retries: number;
  readonly retryDelayMs: number;
  /** No byte for so long: the transfer counts as broken. */
  readonly stallMs: number;
  readonly note: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Retrying does not help. */
export class DownloadError extends Error {}

/** The URL of a path below an image layout; a query string of the base is kept. */
export function layoutUrl(base: string, path: string): string {
  let url: URL;
  try {
    url = new URL(base);
  } catch {
    throw new DownloadError(
      `"${base}" is not a URL. Give the base URL of an OCI image layout, such as https://example.org/image/ (the folder that holds index.json).`,
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new DownloadError(`${base}: an image layout is read over http or https, not ${url.protocol}`);
  url.pathname = url.pathname.replace(/\/(index\.json)?$/, '') + '/' + path;
  url.hash = '';
  return url.toString();
}

function megabytes(n: number): string {
  return n < 1e6 ? `${n} bytes` : `${(n / 1e6).toFixed(1)} MB`;
}

function checkStatus(r: DownloadRequest, response: Response): void {
  if (response.status === 404 || response.status === 410)
    throw new DownloadError(
      `${r.url} does not exist (HTTP ${response.status}); ${r.what} should be there. Check that the image URL is the folder that holds "oci-layout" and "index.json" and that all files below "blobs" were uploaded.`,
    );
  if (response.status === 401 || response.status === 403)
    throw new DownloadError(
      `${r.url} may not be read (HTTP ${response.status}). The image must be readable without signing in.`,
    );
  if (!response.ok && response.status < 500 && response.status !== 429 && response.status !== 408)
    throw new DownloadError(`${r.url} could not be fetched: HTTP ${response.status} ${response.statusText}.`);
  if (!response.ok) throw new Error(`HTTP ${response.status} ${response.statusText}`);
  const kind = response.headers.get('content-type') ?? '';
  if (/^text\/html\b/i.test(kind))
    throw new DownloadError(
      `${r.url} is a web page (HTML) instead of ${r.what}. Many servers answer every unknown address with a page: check that the image URL is the folder that holds "index.json".`,
    );
}

// A refused fetch says nothing about why. A request whose answer may not be read succeeds when only
// CORS is in the way.
async function explainRefusal(r: DownloadRequest, s: DownloadSettings): Promise<DownloadError | undefined> {
  const url = new URL(r.url);
  const loopback = /^(localhost|127\.0\.0\.1|\[::1\]|.*\.localhost)$/.test(url.hostname);
  try {
    await s.fetch(r.url, { mode: 'no-cors', method: 'GET', headers: {}, signal: s.signal });
  } catch {
    if (url.protocol === 'http:' && !loopback)
      return new DownloadError(
        `${r.url} could not be fetched. Browsers refuse plain http from a secure page, but for localhost: serve the image over https.`,
      );
    return undefined; // the network; worth another try
  }
  return new DownloadError(
    `${url.origin} does not allow this page to read ${r.url} (CORS). Serve the image with the header "Access-Control-Allow-Origin: *"; GitHub Pages does so by itself.`,
  );
}

interface Transfer {
  response: Response;
  skip: number; // bytes of the answer that are here already
}

async function open(r: DownloadRequest, s: DownloadSettings, got: number, signal: AbortSignal): Promise<Transfer> {
  const headers: Record<string, string> = got > 0 ? { Range: `bytes=${got}-` } : {};
  const cache = r.fixed === true ? 'default' : 'no-cache';
  const response = await s.fetch(r.url, { headers, signal, cache, credentials: 'omit' });
  checkStatus(r, response);
  if (response.status !== 206) return { response, skip: got };
  const range = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
  // Content-Range is not readable across origins unless exposed; then the answer is what was asked for.
  if (range !== null && Number(range[1]) !== got)
    throw new DownloadError(`${r.url}: the server answered with another part of the file than was asked for.`);
  return { response, skip: 0 };
}

async function readWithin<T>(promise: Promise<T>, ms: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stalled = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no data for ${ms / 1000} seconds`)), ms);
  });
  try {
    return await Promise.race([promise, stalled]);
  } finally {
    clearTimeout(timer);
  }
}

function tooLong(r: DownloadRequest, got: number): DownloadError {
  return new DownloadError(
    `${r.url} is longer than the image says (${megabytes(r.size)} expected, ${megabytes(got)} and more received). Upload the image again.`,
  );
}

/**
 * Streams the blob into `feed`. What `feed` throws ends the download and comes out as it is.
 * Resolves with the number of bytes.
 */
export async function download(
  r: DownloadRequest,
  s: DownloadSettings,
  feed: (chunk: Bytes) => void,
): Promise<number> {
  let got = 0;
  for (let attempt = 0; ; attempt++) {
    const abort = new AbortController();
    const stop = (): void => abort.abort();
    s.signal.addEventListener('abort', stop);
    let fed: { error: unknown } | undefined;
    try {
      const { response, skip } = await readWithin(open(r, s, got, abort.signal), s.stallMs);
      if (response.body === null) throw new Error('the answer is empty');
      const reader = response.body.getReader();
      let ignore = skip;
      for (;;) {
        const { done, value } = await readWithin(reader.read(), s.stallMs);
        if (done) break;
        const chunk = ignore > 0 ? value.subarray(Math.min(ignore, value.length)) : value;
        ignore -= value.length - chunk.length;
        if (chunk.length === 0) continue;
        if (r.size > 0 && got + chunk.length > r.size) throw tooLong(r, got + chunk.length);
        try {
          feed(chunk as Bytes);
        } catch (error) {
          fed = { error };
          throw error;
        }
        got += chunk.length;
      }
      if (r.size > 0 && got < r.size)
        throw new Error(`the answer ended after ${megabytes(got)} of ${megabytes(r.size)}`);
      return got;
    } catch (error) {
      if (fed !== undefined || error instanceof DownloadError || s.signal.aborted) throw error;
      if (error instanceof TypeError && got === 0) {
        const refusal = await explainRefusal(r, s);
        if (refusal !== undefined) throw refusal;
      }
      const why = error instanceof Error ? error.message : String(error);
      if (attempt >= s.retries)
        throw new DownloadError(
          `${r.url} could not be fetched (${why}), after ${attempt + 1} tries. Check the URL and the network connection, or that the file on the server is whole.`,
        );
      s.note(`${r.url}: ${why}; trying again (${attempt + 1} of ${s.retries})`);
      await new Promise((resolve) => setTimeout(resolve, s.retryDelayMs * 2 ** attempt));
    } finally {
      s.signal.removeEventListener('abort', stop);
      abort.abort();
    }
  }
}
