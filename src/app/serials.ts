import { join } from 'node:path';
import { fileSerials, memorySerials, type SerialBook } from '../bundle/bundle.js';
import type { LoadedConfig } from '../config/config.js';

/** Where it is kept how far the serials of policy bundles have come. */
export const serialsOf = ({ config, resolvePath }: LoadedConfig): SerialBook =>
  config.data_dir_persistent ? fileSerials(join(resolvePath(config.data_dir), 'policy-serial.json')) : memorySerials();
