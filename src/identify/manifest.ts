import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { checkDocument, checkPart, readYamlFile, type Problem, type YamlDocument } from '../base/document.js';
import { diskFiles, type Files } from '../base/files.js';
import { no, ok, type Result } from '../base/result.js';
import { permissions } from '../model/permissions.js';
import { keyIdForm } from './key.js';
import { phcProblem } from './key-hash.js';
import { spacesProblem, type KeyEntry } from './key-entry.js';

/** 1 MiB, the cap of other files, is some 3,000 keys. */
const manifestBytesMax = 16 * 1_048_576;
const when = z.iso.datetime({ offset: true, message: 'must be a time such as 2027-01-31T00:00:00Z' });
const id = z.string().regex(keyIdForm, 'must be 16 characters of a-z and 0-9');
const entrySchema = z.strictObject({
  id,
  hash: z.string().describe('Argon2id PHC string of the whole key; `auth create-key --manifest` prints it.'),
  name: z.string().regex(/^\P{C}{1,128}$/u, 'must be 1 to 128 characters without control characters'),
  owner: z
    .string()
    .regex(/^\P{C}{1,256}$/u, 'must be 1 to 256 characters without control characters')
    .optional(),
  spaces: z.array(z.string()).superRefine((spaces, context) => {
    const message = spacesProblem(spaces);
    if (message !== null) context.addIssue({ code: 'custom', message });
  }),
  permissions: z.array(z.enum(permissions)).default([]),
  roles: z.array(z.string().min(1).max(64)).default([]),
  tier: z.string().min(1).max(64).optional(),
  not_before: when.optional(),
  expires_at: when.optional(),
  created_at: when.optional(),
  rotation: z.strictObject({ replaced_by: id, grace_until: when }).optional(),
  revoked: z.strictObject({ at: when, reason: z.string().min(1).max(256) }).optional(),
});
/** One file of key manifests. */
const manifestSchema = z.strictObject({ keys: z.array(z.unknown()).max(100_000) });
/** Some milliseconds of checking; then whoever waits has a turn. */
const entriesPerTurn = 64;
type ManifestEntry = z.output<typeof entrySchema>;

/** What one directory of manifests holds. */
export interface LoadedManifests {
  readonly entries: readonly KeyEntry[];
  /** Entries whose hash may not be computed: they are left out, the others are served. */
  readonly refused: readonly Problem[];
  /** Where each key stands, for problems that are found later. */
  readonly places: ReadonlyMap<string, Problem>;
}

/** Names that the policy data has; a manifest may use no other. */
export interface KnownNames {
  readonly roles: ReadonlySet<string>;
  readonly tiers: ReadonlySet<string>;
  /** Permissions by role; absent where nobody has asked for them. */
  readonly rolePermissions?: ReadonlyMap<string, readonly string[]>;
}

const timeOf = (text: string | undefined): number | null => (text === undefined ? null : Date.parse(text));

const toEntry = (entry: ManifestEntry, file: string): KeyEntry => ({
  id: entry.id,
  hash: entry.hash,
  name: entry.name,
  owner: entry.owner ?? null,
  spaces: entry.spaces,
  permissions: entry.permissions,
  roles: entry.roles,
  tier: entry.tier ?? null,
  notBeforeMs: timeOf(entry.not_before),
  expiresAtMs: timeOf(entry.expires_at),
  createdAtMs: timeOf(entry.created_at),
  rotation:
    entry.rotation === undefined
      ? null
      : { replacedBy: entry.rotation.replaced_by, graceUntilMs: Date.parse(entry.rotation.grace_until) },
  revoked: entry.revoked === undefined ? null : { atMs: Date.parse(entry.revoked.at), reason: entry.revoked.reason },
  source: { kind: 'manifest', file },
});

class Loading {
  readonly entries: KeyEntry[] = [];
  readonly refused: Problem[] = [];
  readonly problems: Problem[] = [];
  readonly places = new Map<string, Problem>();
  readonly #known: KnownNames | null;
  readonly #files: Files;

  constructor(known: KnownNames | null, files: Files) {
    this.#known = known;
    this.#files = files;
  }

  async file(path: string): Promise<void> {
    if (!path.endsWith('.yaml')) return void this.problems.push(whole(path, 'is not read: name it *.yaml'));
    const document = await readYamlFile(path, { maxBytes: manifestBytesMax, files: this.#files });
    if (!document.ok) return void this.problems.push(...document.why);
    const parsed = checkDocument(manifestSchema, document.value);
    if (!parsed.ok) return void this.problems.push(...parsed.why);
    for (let index = 0; index < parsed.value.keys.length; index += 1) {
      const entry = checkPart(entrySchema, document.value, ['keys', index]);
      if (entry.ok) this.#entry(entry.value, index, document.value);
      else this.problems.push(...entry.why);
      if (index % entriesPerTurn === entriesPerTurn - 1) await nextTurn();
    }
  }

  #entry(entry: ManifestEntry, index: number, document: YamlDocument): void {
    const at = (field: string, message: string): Problem => ({
      file: document.file,
      ...document.at(['keys', index, field]),
      path: `keys.${String(index)}.${field}`,
      message,
    });
    const first = this.places.get(entry.id);
    if (first !== undefined) {
      this.problems.push(at('id', `key ${entry.id} stands already in ${first.file}:${String(first.line)}`));
      return;
    }
    this.places.set(entry.id, at('id', `key ${entry.id}`));
    for (const role of entry.roles) {
      if (this.#known !== null && !this.#known.roles.has(role))
        this.problems.push(at('roles', `role "${role}" is not in the policy data`));
    }
    if (entry.tier !== undefined && this.#known !== null && !this.#known.tiers.has(entry.tier)) {
      this.problems.push(at('tier', `tier "${entry.tier}" is not in the policy data`));
    }
    const badHash = phcProblem(entry.hash);
    if (badHash === null) this.entries.push(toEntry(entry, document.file));
    else this.refused.push(at('hash', `key ${entry.id} is refused: ${badHash}`));
  }
}

const whole = (file: string, message: string): Problem => ({ file, line: 0, column: 0, path: '', message });

/** What stands in a directory as a manifest, or as one with the wrong ending, in the order of names. */
export async function listManifests(
  dir: string,
  files: Files = diskFiles,
): Promise<Result<readonly string[], readonly Problem[]>> {
  const names = await files.names(dir);
  if (!names.ok) return no([whole(dir, names.why)]);
  return ok(
    names.value.filter((name) => !name.startsWith('.') && /[.]ya?ml$/.test(name)).map((name) => join(dir, name)),
  );
}

/**
 * Reads every `*.yaml` of a directory, in the order of their names. Any problem refuses the whole load, with one exception:
 * an entry whose hash is out of bounds is left out and told in `refused`, so that one tampered line does not lock out the others.
 *
 * @param known names of the policy data; null when there is none to compare with
 */
export async function loadManifests(
  dir: string,
  known: KnownNames | null = null,
  files: Files = diskFiles,
): Promise<Result<LoadedManifests, readonly Problem[]>> {
  const paths = await listManifests(dir, files);
  return paths.ok ? loadManifestFiles(paths.value, known, files) : paths;
}

/** The same for files that are named one by one. */
export async function loadManifestFiles(
  paths: readonly string[],
  known: KnownNames | null = null,
  files: Files = diskFiles,
): Promise<Result<LoadedManifests, readonly Problem[]>> {
  const loading = new Loading(known, files);
  for (const path of paths) await loading.file(path);
  if (loading.problems.length > 0) return no(loading.problems);
  return ok({ entries: loading.entries, refused: loading.refused, places: loading.places });
}

/** One id in a manifest and in the store: nobody could say which one counts. */
export const idConflicts = (manifests: LoadedManifests, stored: readonly KeyEntry[]): readonly Problem[] =>
  stored.flatMap(({ id: storedId }) => {
    const place = manifests.places.get(storedId);
    return place === undefined ? [] : [{ ...place, message: `key ${storedId} is in the store as well` }];
  });
