import { createHash } from 'node:crypto';
import type { KeyEntry } from '../identify/identify.js';

/** A key as a manifest or the store states it. A fingerprint stands for its hash, so that it can be compared anywhere and shown to nobody. */
export type StatedKey = Omit<KeyEntry, 'hash' | 'source'> & {
  readonly fingerprint: string;
  /** Of the manifest; null for a key of the store. */
  readonly file: string | null;
};

const fingerprintLength = 32;

export function statedKey({ hash, source, ...facts }: KeyEntry): StatedKey {
  const fingerprint = createHash('sha256').update(hash).digest('hex').slice(0, fingerprintLength);
  return { ...facts, fingerprint, file: source.kind === 'manifest' ? source.file : null };
}

/** ISO 8601, or null. */
export const isoTime = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
