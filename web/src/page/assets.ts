// Fetching the files of the distribution: worker, engine, kernel, initramfs.

async function get(url: string): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (error) {
    throw new Error(`${url} could not be fetched (${String(error)}). Check the network connection and reload.`);
  }
  if (!response.ok) throw new Error(`${url} could not be fetched: HTTP ${response.status}. Install Berth again.`);
  return response;
}

export async function fetchBytes(url: string): Promise<Uint8Array> {
  return new Uint8Array(await (await get(url)).arrayBuffer());
}

export async function fetchText(url: string): Promise<string> {
  return (await get(url)).text();
}
