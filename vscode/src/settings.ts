// The settings of section "container": read, checked, and answered where not supported yet.
import * as vscode from 'vscode';

export interface Settings {
  readonly imageUrl: string;
  /** "": the workspace is not mounted. */
  readonly mountpoint: string;
  readonly memory: number; // bytes
  /** What was set and has no effect. */
  readonly notes: readonly string[];
}

/** Something the user can put right in the settings. */
export class SettingsError extends Error {
  constructor(
    readonly setting: string,
    message: string,
  ) {
    super(message);
  }
}

function isSet(config: vscode.WorkspaceConfiguration, key: string): boolean {
  const i = config.inspect(key);
  return (
    i?.globalValue !== undefined ||
    i?.workspaceValue !== undefined ||
    i?.workspaceFolderValue !== undefined
  );
}

function readImage(config: vscode.WorkspaceConfiguration): string {
  const image = config.get<string>('containerImage', '').trim();
  const location = config.get<string>('imageLocation', '').trim();
  if (/^https?:\/\//.test(image)) return image;
  if (image !== '')
    throw new SettingsError(
      'container.containerImage',
      `The image "${image}" names a registry, which is not supported yet. Give the URL (https://...) of an OCI image layout instead; "skopeo copy docker://${image} oci:DIR:latest" makes one that any static server with CORS can serve.`,
    );
  if (location !== '')
    throw new SettingsError(
      'container.containerImage',
      'Images converted to wasm (setting container.imageLocation) are not supported yet. Set container.containerImage to the URL of an OCI image layout instead.',
    );
  const trust = vscode.workspace.isTrusted
    ? ''
    : ' (An image named by this workspace is used once you trust the workspace.)';
  throw new SettingsError(
    'container.containerImage',
    `No image to run: set container.containerImage to the URL of an OCI image layout for amd64 or riscv64.${trust}`,
  );
}

function readMountpoint(config: vscode.WorkspaceConfiguration): string {
  const mountpoint = config.get<string>('workspaceMountpoint', '/workspace').trim();
  if (mountpoint === '') return '';
  const parts = mountpoint.split('/').filter((p) => p !== '');
  if (!mountpoint.startsWith('/') || parts.length === 0 || parts.some((p) => p === '.' || p === '..'))
    throw new SettingsError(
      'container.workspaceMountpoint',
      `container.workspaceMountpoint is "${mountpoint}"; it must be an absolute path other than /, such as /workspace, or empty for no mount.`,
    );
  return '/' + parts.join('/');
}

function readMemory(config: vscode.WorkspaceConfiguration): number {
  const mebibytes = config.get<number>('memory', 512);
  if (!Number.isFinite(mebibytes) || mebibytes < 64 || mebibytes > 3072)
    throw new SettingsError(
      'container.memory',
      `container.memory is ${mebibytes}; give a number of MiB from 64 to 3072.`,
    );
  // The machine wants a multiple of 2 MiB.
  return Math.floor(mebibytes / 2) * 2 * 1024 * 1024;
}

export function readSettings(): Settings {
  const config = vscode.workspace.getConfiguration('container');
  const imageUrl = readImage(config);
  const notes: string[] = [];
  if (isSet(config, 'networkingMode') && config.get('networkingMode') === 'fetch')
    notes.push('container.networkingMode "fetch" is not supported yet: the container runs without a network.');
  for (const key of ['imageLocation', 'imageChunks', 'imageWithDecompression'])
    if (isSet(config, key))
      notes.push(`container.${key} is not supported yet and has no effect: container.containerImage is used.`);
  for (const key of ['helperImageLocation', 'helperImageWithDecompression'])
    if (isSet(config, key)) notes.push(`container.${key} is not needed and has no effect.`);
  return { imageUrl, mountpoint: readMountpoint(config), memory: readMemory(config), notes };
}
