// What the tests look into, bundled for Node by web/scripts/build.mjs.
export * from '../../../web/src/page/index.js';
export { EscapeTracker } from '../../../web/src/page/pacer.js';
export { processRecords, vmRecords } from '../../../web/src/common/records.js';
export { serveRemote, remoteErrorCode } from '../../../web/src/common/remotefs.js';
export { RemoteOp } from '../../../web/src/common/messages.js';
export { download, DownloadError, layoutUrl } from '../../../web/src/worker/download.js';
export { ImageCache } from '../../../web/src/worker/imagecache.js';
export { Outbox } from '../../../web/src/worker/outbox.js';
export { FileStore, MemoryStore } from '../../../web/src/worker/store.js';
