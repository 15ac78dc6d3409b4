import { parentPort, workerData } from 'node:worker_threads';
import { parseText } from './document-parse.js';

// The whole of a worker thread: one text in, one answer out.
const parsed = parseText((workerData as { text: string }).text);
parentPort?.postMessage(parsed, parsed.ok ? [parsed.places.buffer as ArrayBuffer] : []);
