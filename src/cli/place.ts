import { join, resolve } from 'node:path';
import { environment } from '../base/env.js';
import { describeProblem } from '../base/document.js';
import { auditDirOf } from '../app/app.js';
import { loadConfig } from '../config/config.js';
import { controlPath } from '../control/control.js';

export interface PlaceOptions {
  readonly dataDir?: string | undefined;
  readonly config?: string | undefined;
}

export interface Place {
  readonly dataDir: string;
  readonly auditDir: string;
  readonly controlSocket: string;
}

/** Where the process keeps its data: --data-dir, else --config, else $MEMGATE_DATA_DIR. */
export async function placeOf(options: PlaceOptions): Promise<Place> {
  if (options.config !== undefined) {
    const loaded = await loadConfig(options.config);
    if (!loaded.ok) throw new Error(loaded.why.map(describeProblem).join('\n'));
    const dataDir =
      options.dataDir === undefined ? loaded.value.resolvePath(loaded.value.config.data_dir) : resolve(options.dataDir);
    return { dataDir, auditDir: auditDirOf(loaded.value), controlSocket: controlPath(dataDir) };
  }
  const named = options.dataDir ?? environment('MEMGATE_DATA_DIR');
  if (named === undefined)
    throw new Error('which process? give --data-dir DIR or --config FILE, or set MEMGATE_DATA_DIR');
  const dataDir = resolve(named);
  return { dataDir, auditDir: join(dataDir, 'audit'), controlSocket: controlPath(dataDir) };
}
