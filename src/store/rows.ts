import { z } from 'zod';
import type { KeyEntry } from '../identify/identify.js';

const names = z.string().transform((text, context) => {
  try {
    return z.array(z.string()).parse(JSON.parse(text));
  } catch {
    context.addIssue({ code: 'custom', message: 'is not a list of names' });
    return z.NEVER;
  }
});
const time = z.int().nullable();
const rowSchema = z.strictObject({
  id: z.string(),
  hash: z.string(),
  name: z.string(),
  owner: z.string().nullable(),
  spaces: names,
  permissions: names,
  roles: names,
  tier: z.string().nullable(),
  not_before: time,
  expires_at: time,
  created_at: z.int(),
  replaced_by: z.string().nullable(),
  grace_until: time,
  revoked_at: time,
  revoked_reason: z.string().nullable(),
});

/** What is bound to an insert: the row with its lists as JSON texts. */
export type KeyRow = z.input<typeof rowSchema>;

export const toRow = (entry: KeyEntry): KeyRow => ({
  id: entry.id,
  hash: entry.hash,
  name: entry.name,
  owner: entry.owner,
  spaces: JSON.stringify(entry.spaces),
  permissions: JSON.stringify(entry.permissions),
  roles: JSON.stringify(entry.roles),
  tier: entry.tier,
  not_before: entry.notBeforeMs,
  expires_at: entry.expiresAtMs,
  created_at: entry.createdAtMs ?? 0,
  replaced_by: entry.rotation?.replacedBy ?? null,
  grace_until: entry.rotation?.graceUntilMs ?? null,
  revoked_at: entry.revoked?.atMs ?? null,
  revoked_reason: entry.revoked?.reason ?? null,
});

/** @throws ZodError when the row is not what this program writes */
export function toEntry(row: unknown): KeyEntry {
  const { not_before, expires_at, created_at, replaced_by, grace_until, revoked_at, revoked_reason, ...same } =
    rowSchema.parse(row);
  return {
    ...same,
    notBeforeMs: not_before,
    expiresAtMs: expires_at,
    createdAtMs: created_at,
    rotation:
      replaced_by === null || grace_until === null ? null : { replacedBy: replaced_by, graceUntilMs: grace_until },
    revoked: revoked_at === null || revoked_reason === null ? null : { atMs: revoked_at, reason: revoked_reason },
    source: { kind: 'store' },
  };
}
