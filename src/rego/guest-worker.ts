import { parentPort, workerData } from 'node:worker_threads';
import { GuestFailure, startGuest } from './guest.js';

/** What a worker thread says: it is ready, it answers, or it is of no use any more. */
export type FromGuest =
  | { readonly kind: 'ready' }
  | { readonly kind: 'answer'; readonly bytes: Uint8Array }
  | { readonly kind: 'failed'; readonly message: string; readonly isMemory: boolean };

// The whole of a worker thread: calls in, answers out, one at a time.
const tell = (message: FromGuest): void => {
  parentPort?.postMessage(message, message.kind === 'answer' ? [message.bytes.buffer as ArrayBuffer] : []);
};

const failed = (thrown: unknown): void => {
  const isMemory = thrown instanceof GuestFailure && thrown.isMemory;
  tell({ kind: 'failed', message: thrown instanceof Error ? thrown.message : 'unknown error', isMemory });
  parentPort?.close();
};

try {
  const answer = startGuest((workerData as { module: WebAssembly.Module }).module);
  parentPort?.on('message', (call: Uint8Array) => {
    try {
      tell({ kind: 'answer', bytes: answer(call) });
    } catch (thrown) {
      failed(thrown);
    }
  });
  tell({ kind: 'ready' });
} catch (thrown) {
  failed(thrown);
}
