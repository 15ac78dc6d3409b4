export { createCallHandle } from './handle.js';
export { listenForCalls, type CallListener, type CallListenOptions } from './listen.js';
export type { CallGeneration, CallStages } from './stages.js';
