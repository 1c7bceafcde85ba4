// Entry of the VM's worker. Bundled as one classic script, so that it can be started from a blob.
import type { ToWorker } from '../common/messages.js';
import { Vm } from './vm.js';

const scope = self as unknown as DedicatedWorkerGlobalScope;
const vm = new Vm((message, transfer = []) => scope.postMessage(message, transfer));
scope.onmessage = (event: MessageEvent<ToWorker>) => vm.handle(event.data);
