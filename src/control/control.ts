import { join } from 'node:path';

export { controlClient, type ControlClient } from './client.js';
export { startControl, type Control, type ControlContext } from './server.js';
export { ControlError } from './wire.js';

/** Where the control socket of a data directory is. */
export const controlPath = (dataDir: string): string => join(dataDir, 'control.sock');
