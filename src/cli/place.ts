import { resolve } from 'node:path';
import { describeProblem } from '../base/document.js';
import { environment } from '../base/env.js';
import type { LocalKeys, LocalPlace } from '../app/app.js';
import { loadConfig, namedDataDir } from '../config/config.js';
import { controlClient, controlPath, ControlError } from '../control/control.js';
import type { KeyDesk, KeyProblem } from '../manage/manage.js';
import type { Result } from '../base/result.js';
import { CommandFailure } from './print.js';

/** The options that say which data directory is meant. */
export interface PlaceOptions {
  readonly dataDir?: string | undefined;
  readonly config?: string | undefined;
  /** True for a command that begins a store where there is none. */
  readonly mayBegin?: boolean;
}

/** Opens the keys of a data directory that no process uses. */
export type OpenLocal = (place: LocalPlace) => Promise<Result<LocalKeys, readonly string[]>>;

/** Where a process is, if one runs. */
export interface RunningPlace extends LocalPlace {
  /** What is wrong with the configuration that names it: enough to reach a process, too little to take its place. */
  readonly broken: string | null;
}

/**
 * `--data-dir` wins over the directory of `--config`, and both over MEMGATE_DATA_DIR. A process that runs is found even where its
 * configuration has been broken since: keys must be revoked then, too.
 */
export async function findRunning({ dataDir, config: file }: PlaceOptions): Promise<RunningPlace> {
  const loaded = file === undefined ? null : await loadConfig(file);
  const config = loaded?.ok === true ? loaded.value : null;
  const broken = loaded?.ok === false ? loaded.why.map(describeProblem).join('\n') : null;
  const named = broken === null || file === undefined ? null : await namedDataDir(file);
  const given = dataDir ?? named ?? config?.resolvePath(config.config.data_dir);
  if (given === undefined && broken !== null) throw new CommandFailure(1, broken);
  const directory = given ?? environment('MEMGATE_DATA_DIR');
  if (directory === undefined || directory === '')
    throw new CommandFailure(2, 'which data directory? Give --data-dir DIR or --config FILE, or set MEMGATE_DATA_DIR');
  return { dataDir: resolve(directory), config, broken };
}

/** The same for what needs the whole configuration. */
export async function findPlace(options: PlaceOptions): Promise<LocalPlace> {
  const { broken, ...place } = await findRunning(options);
  if (broken !== null) throw new CommandFailure(1, broken);
  return place;
}

/** Works with the keys of the running process, or of the store when none runs. */
export async function withKeys<T>(
  options: PlaceOptions,
  openLocal: OpenLocal,
  work: (keys: KeyDesk) => Promise<T>,
): Promise<T> {
  const { broken, ...place } = await findRunning(options);
  const client = await controlClient(controlPath(place.dataDir)).catch((thrown: unknown) => {
    if (thrown instanceof ControlError) throw new CommandFailure(1, thrown.message);
    throw thrown;
  });
  if (client !== null) return work(client.keys);
  if (broken !== null) throw new CommandFailure(1, broken);
  const local = await openLocal({ ...place, mayBegin: options.mayBegin ?? false });
  if (!local.ok) throw new CommandFailure(1, local.why.join('\n'));
  try {
    return await work(local.value.keys);
  } finally {
    await local.value.close();
  }
}

/** The value, or a failure that says every problem. */
export function valueOf<T>(answer: Result<T, KeyProblem>): T {
  if (answer.ok) return answer.value;
  throw new CommandFailure(1, answer.why.problems.join('\n'));
}
