import { systemClock } from '../base/clock.js';
import type { Problem } from '../base/document.js';
import { createLogger } from '../base/log.js';
import { ok, type Result } from '../base/result.js';
import { loadPolicy, type Policy } from '../authorize/authorize.js';
import { noVerification, readBundleFile } from '../bundle/bundle.js';
import { readCases } from '../cases/cases.js';
import type { LoadedConfig } from '../config/config.js';
import { loadManifests, type KeyEntry } from '../identify/identify.js';
import { createMeter } from '../record/record.js';
import type { NamedInput } from './compare.js';

/** Which policy is meant: of a configuration, where nothing else is named. */
export interface PolicyPlace {
  readonly config: LoadedConfig | null;
  /** Compiled bundle; that of the configuration when null. */
  readonly bundle: string | null;
  /** Directory of data files; that of the configuration when null. */
  readonly data: string | null;
}

/** A machine that compares policies may be busy: only what never ends is refused here. */
const budgetMs = 1_000;

/** Reads a policy with all checks that a start makes, for questions that no request asks. */
export async function openPolicy({ config, bundle, data }: PolicyPlace): Promise<Result<Policy, readonly Problem[]>> {
  const bundleFile = bundle ?? config?.resolvePath(config.config.policy.bundle) ?? '';
  const own = config?.config.policy.data;
  const dataDir = data ?? (config === null || own === undefined ? null : config.resolvePath(own));
  // Nothing comes into force here: a draft need not be signed to be looked at.
  const read = await readBundleFile(bundleFile, noVerification);
  if (!read.ok) return read;
  return loadPolicy(
    { bundle: read.value, bundleFile, dataDir, budgetMs },
    { clock: systemClock, meter: createMeter(''), log: createLogger('error') },
  );
}

/** The cases of a directory, as questions. */
export async function readNamedCases(directory: string): Promise<Result<readonly NamedInput[], readonly Problem[]>> {
  const cases = await readCases(directory);
  if (!cases.ok) return cases;
  return ok(cases.value.map(({ file, name, inputText }) => ({ name: `${file}: ${name}`, input: inputText })));
}

/** The keys of the manifests that a configuration names; none where it names none. */
export async function readManifestKeys({
  config,
  resolvePath,
}: LoadedConfig): Promise<Result<readonly KeyEntry[], readonly Problem[]>> {
  const dir = config.keys.manifests;
  if (dir === undefined) return ok([]);
  const manifests = await loadManifests(resolvePath(dir));
  return manifests.ok ? ok(manifests.value.entries) : manifests;
}
