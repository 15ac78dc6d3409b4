import type { Logger } from '../base/log.js';
import type { Config } from '../config/config.js';
import type { Actor } from '../model/audit.js';
import { startWatch, type Watch } from '../origin/origin.js';
import type { Reloader } from './port.js';

const watcher: Actor = { kind: 'system', id: 'watch', address: null };

/** Reloads when the files have changed, where the configuration asks for it. */
export async function watchSources(options: Config['reload'], reloader: Reloader, log: Logger): Promise<Watch | null> {
  if (!options.watch) return null;
  return startWatch(
    { debounceMs: options.debounce_ms, rehashMs: options.rehash_interval_ms },
    { log, places: () => reloader.places(), look: () => reloader.reloadIfChanged(watcher) },
  );
}
