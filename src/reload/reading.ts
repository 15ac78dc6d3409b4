import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Files } from '../base/files.js';
import { fileProblem, type Problem } from '../base/problem.js';
import { ok, type Result } from '../base/result.js';
import { loadConfig, type Config, type LoadedConfig } from '../config/config.js';
import { loadManifests, type KeyEntry, type KnownNames, type LoadedManifests } from '../identify/identify.js';
import type { Content } from '../origin/origin.js';
import type { Promotion } from './promotion.js';

/** What is read: the files as they are, or kept ones in their place. */
export interface Reading {
  readonly content: Content | null;
  /** Of the generation in force. Without it keys and static tokens come from the present files, whatever else is kept. */
  readonly held: { readonly entries: readonly KeyEntry[]; readonly config: Config } | null;
  /** The bundle may be older than what was taken before it: somebody said so. */
  readonly allowsRollback?: boolean;
  /** In the place of the configured policy, while that is what it was. */
  readonly promotion?: Promotion | null;
  /** In the place of what the bundle server offers. */
  readonly served?: Buffer;
}

export const asTheyAre: Reading = { content: null, held: null };

interface ConfigPlace {
  readonly file: string;
  readonly files: Files;
  /** The present files. */
  readonly snapshot: Files;
}

/** The configuration. Going back changes neither who has a credential, nor where keys come from, nor who may sign, and asks no less of callers: what was taken away stays so. */
export async function configOf(
  { file, files, snapshot }: ConfigPlace,
  { content, held }: Reading,
): Promise<Result<LoadedConfig, readonly Problem[]>> {
  const loaded = await loadConfig(file, files);
  if (!loaded.ok || content === null) return loaded;
  const now = held === null ? await loadConfig(file, snapshot) : ok({ config: held.config });
  return now.ok ? ok(withCredentialsOf(now.value.config, loaded.value)) : now;
}

function withCredentialsOf(now: Config, former: LoadedConfig): LoadedConfig {
  const then = former.config;
  const { static_tokens, keys } = now;
  const { verification } = now.policy;
  const held = { static_tokens, keys, ...strictest(then, now) };
  const { auth_mode, enforcement, observe } = then;
  const own = { static_tokens: then.static_tokens, keys: then.keys, auth_mode, enforcement, observe };
  if (isDeepStrictEqual([held, verification], [own, then.policy.verification])) return former;
  const config = Object.freeze({ ...then, ...held, policy: Object.freeze({ ...then.policy, verification }) });
  const digest = createHash('sha256').update(JSON.stringify([former.digest, held, verification]));
  return { ...former, digest: digest.digest('hex'), config };
}

type Demands = Pick<Config, 'auth_mode' | 'enforcement' | 'observe'>;

/** What is asked of callers, as neither configuration alone would have less of it: whoever needs a key by now would else pass without one, or with one that was revoked. */
function strictest(then: Config, now: Config): Demands {
  const enforcement = then.enforcement === 'enforce' ? then.enforcement : now.enforcement;
  const auth_mode = isWithin(modesOf(then), modesOf(now)) ? then.auth_mode : now.auth_mode;
  return { auth_mode, enforcement, observe: observedByBoth(then, now) };
}

const modesOf = ({ auth_mode: modes }: Config): readonly string[] => (Array.isArray(modes) ? modes : [modes]);

const isWithin = (then: readonly string[], now: readonly string[]): boolean =>
  now.includes('none') || then.every((mode) => now.includes(mode));

/** `enforcement: observe` is a rule that covers everything. */
function observedByBoth(then: Config, now: Config): Config['observe'] {
  if (now.enforcement === 'observe') return then.observe;
  if (then.enforcement === 'observe') return now.observe;
  return then.observe.filter((rule) => now.observe.some((other) => isDeepStrictEqual(rule, other)));
}

interface KeyReading extends Pick<Reading, 'held'> {
  readonly names: KnownNames | null;
  readonly files: Files;
}

/** Keys of the manifests, or those in force. */
export async function readKeys(
  { config, resolvePath }: LoadedConfig,
  { names, files, held }: KeyReading,
): Promise<Result<LoadedManifests, readonly Problem[]>> {
  if (held !== null) return ok(heldKeys(held.entries, names));
  const dir = config.keys.manifests;
  return dir === undefined ? ok(noManifests) : loadManifests(resolvePath(dir), names, files);
}

const noManifests: LoadedManifests = { entries: [], refused: [], places: new Map() };

/** A key with a role or tier that the former policy does not have is left out: going back must work, and must give nobody more. */
function heldKeys(held: readonly KeyEntry[], names: KnownNames | null): LoadedManifests {
  const entries: KeyEntry[] = [];
  const refused: Problem[] = [];
  const places = new Map<string, Problem>();
  for (const entry of held) {
    const { id, source } = entry;
    const file = source.kind === 'manifest' ? source.file : 'store';
    const unknown = names === null ? [] : unknownNames(entry, names);
    places.set(id, fileProblem(file, `key ${id}`));
    if (unknown.length === 0) entries.push(entry);
    else refused.push(fileProblem(file, `key ${id} is left out: the former policy has no ${unknown.join(', no ')}`));
  }
  return { entries, refused, places };
}

const unknownNames = ({ roles, tier }: KeyEntry, known: KnownNames): readonly string[] => [
  ...roles.filter((role) => !known.roles.has(role)).map((role) => `role "${role}"`),
  ...(tier === null || known.tiers.has(tier) ? [] : [`tier "${tier}"`]),
];
