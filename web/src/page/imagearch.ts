// Which machine an image wants: its kernel has to be fetched beside the image. Whatever is wrong with
// the image is not found out here but by the engine, which says it to the user.

export type Architecture = 'riscv64' | 'x86_64';

// By the names that images use. The first that an image has is taken, as `berth run` does.
const MACHINES: readonly (readonly [string, Architecture])[] = [
  ['riscv64', 'riscv64'],
  ['amd64', 'x86_64'],
];
const MAX_BYTES = 4 << 20;
const MAX_DOCUMENTS = 32;

interface Descriptor {
  readonly digest?: unknown;
  readonly platform?: { readonly architecture?: unknown };
}
interface Document {
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly architecture?: unknown;
}

// As the worker makes them; what is no URL throws.
function urlOf(base: string, path: string): string {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/\/(index\.json)?$/, '')}/${path}`;
  url.hash = '';
  return url.toString();
}

function blobPath(digest: unknown): string | undefined {
  return typeof digest === 'string' && /^[a-z0-9]+:[0-9a-f]+$/.test(digest)
    ? `blobs/${digest.replace(':', '/')}`
    : undefined;
}

/** The architecture that an image layout is for; riscv64 when that cannot be found out. */
export async function imageArchitecture(
  url: string,
  fetchUrl: (url: string) => Promise<Response> = (u) => fetch(u),
): Promise<Architecture> {
  const found = new Set<string>();
  let left = MAX_DOCUMENTS;
  const visit = async (path: string | undefined): Promise<void> => {
    if (path === undefined || left-- <= 0) return;
    const response = await fetchUrl(urlOf(url, path));
    if (!response.ok) return;
    const text = await response.text();
    if (text.length > MAX_BYTES) return;
    const doc = JSON.parse(text) as Document | null;
    if (typeof doc?.architecture === 'string') found.add(doc.architecture);
    if (doc?.config !== undefined) await visit(blobPath(doc.config.digest));
    if (!Array.isArray(doc?.manifests)) return;
    for (const m of doc.manifests as readonly Descriptor[]) {
      const named = m.platform?.architecture;
      if (typeof named === 'string') found.add(named);
      else await visit(blobPath(m.digest));
    }
  };
  try {
    await visit('index.json');
  } catch {
    // The engine will say what is wrong.
  }
  return MACHINES.find(([name]) => found.has(name))?.[1] ?? 'riscv64';
}
