import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Files } from '../base/files.js';
import { fileProblem, type Problem } from '../base/problem.js';
import { ok, type Result } from '../base/result.js';
import { loadConfig, type Config, type LoadedConfig } from '../config/config.js';
import { loadManifests, type KeyEntry, type KnownNames, type LoadedManifests } from '../identify/identify.js';
import type { Content } from '../origin/origin.js';

/** What is read: the files as they are, or kept ones in their place. */
export interface Reading {
  readonly content: Content | null;
  /** Of the generation in force. Without it keys and static tokens come from the present files, whatever else is kept. */
  readonly held: { readonly entries: readonly KeyEntry[]; readonly config: Config } | null;
  /** The bundle may be older than what was taken before it: somebody said so. */
  readonly allowsRollback?: boolean;
}

export const asTheyAre: Reading = { content: null, held: null };

interface ConfigPlace {
  readonly file: string;
  readonly files: Files;
  /** The present files. */
  readonly snapshot: Files;
}

/** The configuration. Going back changes neither who has a credential, nor where keys come from, nor who may sign: what was taken away stays so. */
export async function configOf(
  { file, files, snapshot }: ConfigPlace,
  { content, held }: Reading,
): Promise<Result<LoadedConfig, readonly Problem[]>> {
  const loaded = await loadConfig(file, files);
  if (!loaded.ok || content === null) return loaded;
  const now = held === null ? await loadConfig(file, snapshot) : ok({ config: held.config });
  return now.ok ? ok(withCredentialsOf(now.value.config, loaded.value)) : now;
}

function withCredentialsOf(
  { static_tokens, keys, policy: { verification } }: Config,
  former: LoadedConfig,
): LoadedConfig {
  const then = former.config;
  const isSame = isDeepStrictEqual(
    [static_tokens, keys, verification],
    [then.static_tokens, then.keys, then.policy.verification],
  );
  if (isSame) return former;
  const policy = Object.freeze({ ...then.policy, verification });
  const config = Object.freeze({ ...then, static_tokens, keys, policy });
  const digest = createHash('sha256').update(JSON.stringify([former.digest, static_tokens, keys, verification]));
  return { ...former, digest: digest.digest('hex'), config };
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
