import { dirname, join } from 'node:path';
import { loadConfig, type LoadedConfig } from '../config/config.js';
import type { Content, Snapshot } from '../origin/origin.js';
import { namesOf, readSourceDirectory } from '../rego/rego.js';

/** What a look at the files has seen. */
export interface Seen {
  /** SHA-256, hex, over every path and what was there. */
  readonly digest: string;
  readonly places: readonly string[];
}

const packedBytesMax = 4 * 1_048_576;
const publicKeyBytesMax = 65_536;
const profileBytesMax = 1_048_576;
const sourceBytesMax = 8 * 1_048_576;
const isDocument = (name: string): boolean => /\.(?:yaml|yml|json)$/i.test(name);

/** Reads the bytes of everything that a configuration names, before any of it is thought about: it has to be of one moment. */
export async function gatherSources(file: string, snapshot: Snapshot): Promise<void> {
  const loaded = await loadConfig(file, snapshot);
  if (!loaded.ok) return;
  const { config, resolvePath } = loaded.value;
  const { bundle, data, cases, candidate, verification, sources, compile_on_reload: compiles } = config.policy;
  const folder = (dir: string | undefined, isWanted: (name: string) => boolean): Promise<void> =>
    dir === undefined ? Promise.resolve() : snapshot.gather(resolvePath(dir), isWanted);
  await Promise.all([
    isFile(config.profile) && snapshot.bytes(resolvePath(config.profile), profileBytesMax),
    snapshot.bytes(resolvePath(bundle), packedBytesMax),
    ...publicKeys(verification).map((name) => snapshot.bytes(resolvePath(name), publicKeyBytesMax)),
    candidate !== undefined && snapshot.bytes(resolvePath(candidate.bundle), packedBytesMax),
    folder(data, isDocument),
    folder(candidate?.data, isDocument),
    folder(cases, isDocument),
    folder(config.keys.manifests, isDocument),
    compiles && sources !== undefined && gatherRego(resolvePath(sources), snapshot),
  ]);
}

/** The compiler reads a directory as a whole, and by itself; here its files count as looked at, and are kept: who has signed them is asked again when they come back. */
async function gatherRego(dir: string, snapshot: Snapshot): Promise<void> {
  const read = await readSourceDirectory(dir);
  const paths = read.ok ? [...read.value.keys()] : [];
  const names = await namesOf(dir);
  await Promise.all([snapshot.names(dir), ...paths.map((path) => snapshot.bytes(join(names, path), sourceBytesMax))]);
}

type Verification = LoadedConfig['config']['policy']['verification'];

const publicKeys = (verification: Verification): readonly string[] =>
  Object.values(verification?.keys ?? {}).map(({ public_key_file: name }) => name);

/** A bare name is a profile that memgate brings. */
const isFile = (profile: string): boolean => /[./]/.test(profile);

export const seenIn = async (snapshot: Snapshot): Promise<Seen> => ({
  digest: await snapshot.digest(),
  places: snapshot.places(),
});

/** What to keep of a generation: all that was read but keys, of callers and of signers, which must never come back, and the bundle, which may have come from elsewhere. */
export function contentOf({ config, resolvePath }: LoadedConfig, snapshot: Snapshot, bundle: Buffer): Promise<Content> {
  const { manifests } = config.keys;
  const keys = manifests === undefined ? null : resolvePath(manifests);
  const { bundle: bundleFile, verification } = config.policy;
  const left = new Set([bundleFile, ...publicKeys(verification)].map(resolvePath));
  return snapshot.kept(bundle, (path) => !left.has(path) && path !== keys && dirname(path) !== keys);
}
