import type { Problem } from '../base/document.js';
import type { KeyEntry, LoadedManifests } from '../identify/identify.js';
import { isLiving, rules, type LintOptions, type Rule } from './lint-rules.js';

/** One thing that is wrong or unwise in manifests, and where. */
export interface LintFinding {
  readonly level: 'error' | 'warning';
  readonly code: string;
  /** Null for what is wrong with a file. */
  readonly id: string | null;
  readonly name: string | null;
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

type Manifests = Pick<LoadedManifests, 'entries' | 'refused' | 'places'>;

const codesOfOthers = ['unreadable', 'refused-hash', 'same-hash', 'same-name', 'unknown-successor'] as const;

/** Every code that a finding can have. */
export const lintCodes: readonly string[] = [...codesOfOthers, ...rules.map(({ code }) => code)].sort();

type Found = Pick<Rule, 'code' | 'level'> & { readonly message: string };

class Findings {
  readonly all: LintFinding[] = [];
  readonly #places: Manifests['places'];

  constructor(places: Manifests['places']) {
    this.#places = places;
  }

  add({ id, name, source }: KeyEntry, { code, level, message }: Found): void {
    const place = this.#places.get(id);
    const file = place?.file ?? (source.kind === 'manifest' ? source.file : '');
    this.all.push({ level, code, id, name, file, line: place?.line ?? 0, message });
  }
}

/** All findings, in the order of the manifests. */
export function lintManifests({ entries, refused, places }: Manifests, options: LintOptions): readonly LintFinding[] {
  const found = new Findings(places);
  for (const entry of entries)
    for (const { code, level, isOfLiving, find } of rules) {
      const message = isOfLiving && !isLiving(entry, options.nowMs) ? null : find(entry, options);
      if (message !== null) found.add(entry, { code, level, message });
    }
  sameHash(entries, found);
  sameName(
    entries.filter((entry) => isLiving(entry, options.nowMs)),
    found,
  );
  unknownSuccessor(entries, places, found);
  const all = [...fileFindings(refused, 'refused-hash'), ...found.all];
  return all.sort((one, other) => compare(one.file, other.file) || one.line - other.line);
}

/** Manifests that do not load are not held against anything else. */
export const fileFindings = (
  problems: readonly Problem[],
  code: 'unreadable' | 'refused-hash' = 'unreadable',
): readonly LintFinding[] =>
  problems.map(({ file, line, path, message }) => {
    const told = path === '' ? message : `${path}: ${message}`;
    return { level: 'error', code, id: null, name: null, file, line, message: told };
  });

const compare = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

function sameHash(entries: readonly KeyEntry[], found: Findings): void {
  const first = new Map<string, string>();
  for (const entry of entries) {
    const other = first.get(entry.hash);
    if (other === undefined) first.set(entry.hash, entry.id);
    else
      found.add(entry, {
        code: 'same-hash',
        level: 'error',
        message: `has the hash of key ${other}: a hash covers the id, so one of the two can never work`,
      });
  }
}

/** A key that was rotated and its successor have one name for a while, as they should. */
function sameName(entries: readonly KeyEntry[], found: Findings): void {
  const first = new Map<string, string>();
  for (const entry of entries.filter(({ rotation }) => rotation === null)) {
    const other = first.get(entry.name);
    if (other === undefined) first.set(entry.name, entry.id);
    else
      found.add(entry, {
        code: 'same-name',
        level: 'warning',
        message: `has the name of key ${other}: name what each is for, or set \`rotation\` on the older one`,
      });
  }
}

function unknownSuccessor(entries: readonly KeyEntry[], places: Manifests['places'], found: Findings): void {
  for (const entry of entries) {
    const successor = entry.rotation?.replacedBy;
    if (successor !== undefined && !places.has(successor))
      found.add(entry, {
        code: 'unknown-successor',
        level: 'warning',
        message: `names ${successor} as its successor, which stands in no manifest that was read`,
      });
  }
}
