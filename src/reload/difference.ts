import { isDeepStrictEqual } from 'node:util';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describeProblem } from '../base/document.js';
import { changedFields, restartFields } from '../config/config.js';
import type { KeyEntry } from '../identify/identify.js';
import type { Profile } from '../resolve/resolve.js';
import type { Sources } from './sources.js';

/** Names that are new, gone, or stand for something else now. */
export interface Changes {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

/** What has become of one key; values are names of rights, never of a secret. */
export interface KeyChange {
  readonly id: string;
  readonly fields: readonly string[];
  /** Each as `spaces:alpha`, `permissions:MemoryRead`, `roles:writer` or `tier:pro`. */
  readonly gained: readonly string[];
  readonly lost: readonly string[];
}

/** What a reload changes; names and hashes only, never a value. */
export interface Difference {
  readonly before: string;
  readonly after: string;
  readonly changed: boolean;
  /** True when it was only asked what would change. */
  readonly dry_run: boolean;
  /** Dotted fields of the configuration. */
  readonly configuration: readonly string[];
  /** Those of them that take effect only after a restart: with one of them nothing is applied. */
  readonly needs_restart: readonly string[];
  readonly profile: boolean;
  readonly routes: Changes;
  readonly policy: {
    readonly before: string;
    readonly after: string;
    readonly serial_before: number | null;
    readonly serial_after: number | null;
  } | null;
  /** Parts of the policy data. */
  readonly data: Changes;
  readonly tiers: boolean;
  readonly keys: Changes;
  readonly key_changes: readonly KeyChange[];
  /** Key entries that were left out, with their places. */
  readonly refused_keys: readonly string[];
  /** What was taken, and refuses callers: tiers that the policy does not hold. */
  readonly warnings: readonly string[];
}

const entriesPerTurn = 512;

/** Compares what two generations are made of; ten thousand keys must not hold the event loop. */
export async function compare(before: Sources, after: Sources, dryRun: boolean): Promise<Difference> {
  const keys = await compareKeys(before.manifests.entries, after.manifests.entries);
  return {
    before: before.hash,
    after: after.hash,
    changed: before.hash !== after.hash,
    dry_run: dryRun,
    configuration: changedFields(before.loaded.config, after.loaded.config),
    needs_restart: restartFields(before.loaded.config, after.loaded.config),
    profile: !isDeepStrictEqual(before.profile.data, after.profile.data),
    routes: changesOf(routesOf(before.profile), routesOf(after.profile)),
    policy: comparePolicies(before, after),
    data: changesOf(before.policy.parts, after.policy.parts),
    tiers: before.policy.parts.get('tiers') !== after.policy.parts.get('tiers'),
    ...keys,
    refused_keys: after.manifests.refused.map(describeProblem),
    warnings: after.warnings,
  };
}

const comparePolicies = (
  { policy: before, claims: from }: Sources,
  { policy: after, claims: to }: Sources,
): Difference['policy'] =>
  before.digest === after.digest && before.revision === after.revision && from.serial === to.serial
    ? null
    : { before: before.revision, after: after.revision, serial_before: from.serial, serial_after: to.serial };

function routesOf({ data }: Profile): ReadonlyMap<string, string> {
  return new Map([...data.routes, ...data.grpc].map((route) => [route.id, JSON.stringify(route)]));
}

function changesOf(old: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): Changes {
  return {
    added: [...now.keys()].filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !now.has(name)),
    changed: [...now].filter(([name, text]) => old.has(name) && old.get(name) !== text).map(([name]) => name),
  };
}

async function compareKeys(
  before: readonly KeyEntry[],
  after: readonly KeyEntry[],
): Promise<Pick<Difference, 'keys' | 'key_changes'>> {
  const old = new Map(before.map((entry) => [entry.id, entry]));
  const now = new Set<string>();
  const added: string[] = [];
  const changes: KeyChange[] = [];
  for (const [index, entry] of after.entries()) {
    now.add(entry.id);
    const former = old.get(entry.id);
    if (former === undefined) added.push(entry.id);
    else if (former !== entry && !isDeepStrictEqual(former, entry)) changes.push(keyChange(former, entry));
    if (index % entriesPerTurn === entriesPerTurn - 1) await nextTurn();
  }
  const removed = before.flatMap(({ id }) => (now.has(id) ? [] : [id]));
  return { keys: { added, removed, changed: changes.map(({ id }) => id) }, key_changes: changes };
}

const names: Readonly<Partial<Record<keyof KeyEntry, string>>> = {
  notBeforeMs: 'not_before',
  expiresAtMs: 'expires_at',
  createdAtMs: 'created_at',
  source: 'file',
};

function keyChange(before: KeyEntry, after: KeyEntry): KeyChange {
  const fields = Object.keys(after) as (keyof KeyEntry)[];
  const old = rightsOf(before);
  const now = rightsOf(after);
  return {
    id: after.id,
    fields: fields
      .filter((field) => !isDeepStrictEqual(before[field], after[field]))
      .map((field) => names[field] ?? field),
    gained: now.filter((right) => !old.includes(right)),
    lost: old.filter((right) => !now.includes(right)),
  };
}

const rightsOf = ({ spaces, permissions, roles, tier }: KeyEntry): readonly string[] => [
  ...spaces.map((name) => `spaces:${name}`),
  ...permissions.map((name) => `permissions:${name}`),
  ...roles.map((name) => `roles:${name}`),
  ...(tier === null ? [] : [`tier:${tier}`]),
];
