import { systemClock } from '../base/clock.js';
import { describeProblem } from '../base/document.js';
import { createLogger } from '../base/log.js';
import { loadConfig } from '../config/config.js';
import { createMeter } from '../record/record.js';
import { closeSources, readSources } from '../reload/reload.js';
import { serialsOf } from './serials.js';

/** Reads and checks everything that a start would, and changes nothing. @returns every problem, one line each */
export async function checkSources(options: {
  readonly file: string;
  readonly mayBeOpen: boolean;
}): Promise<readonly string[]> {
  const loaded = await loadConfig(options.file);
  if (!loaded.ok) return loaded.why.map(describeProblem);
  const read = await readSources({
    file: options.file,
    mayBeOpen: options.mayBeOpen,
    storeKeys: () => [], // the store may be in use by the process that this configuration is for
    serials: serialsOf(loaded.value), // only read: nothing comes into force
    server: null, // its bundle is checked by the process that asks it
    ports: { clock: systemClock, meter: createMeter(''), log: createLogger('error') },
  });
  if (!read.ok) return read.why.map(describeProblem);
  closeSources(read.value);
  return read.value.manifests.refused.map(describeProblem);
}
