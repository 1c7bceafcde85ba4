// The package's public face.
export { startContainer, Container } from './container.js';
export type {
  ContainerOptions,
  DataListener,
  Session,
  Stopped,
  Volume,
  WorkerLike,
} from './container.js';
export type { LogLevel, ProcessOptions, Progress, Step, StopReason } from '../common/messages.js';
export { FileKind, RemoteFsError } from '../common/remotefs.js';
export type { Disposable, RemoteFs, RemoteFsCode, RemoteStat } from '../common/remotefs.js';
export { MemoryFs } from './memoryfs.js';
export { imageArchitecture, type Architecture } from './imagearch.js';
export { fetchBytes, fetchText } from './assets.js';
export { TerminalPacer } from './pacer.js';
export { formatProgress } from './progress.js';
