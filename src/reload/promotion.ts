import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { diskFiles } from '../base/files.js';
import { no, ok, type Result } from '../base/result.js';
import { writeDurably } from '../origin/origin.js';

const hash = z.string().regex(/^[0-9a-f]{64}$/);

const promotionSchema = z.strictObject({
  format: z.literal(1),
  revision: z.string().min(1),
  /** SHA-256 of the configured bundle in whose place it is: when the configuration holds another one, that counts. */
  over: hash,
  /** Directory of its data files; null for that of the configuration. */
  dataDir: z.string().nullable(),
  atMs: z.number().int().nonnegative(),
  actor: z.string(),
  bundle: z.base64(),
});

/** A candidate that was put in the place of the configured policy, until the configuration holds another one. */
export interface Promotion extends Omit<z.output<typeof promotionSchema>, 'format' | 'bundle' | 'over'> {
  /** Null before it is known what it takes the place of: it is about to come into force. */
  readonly over: string | null;
  readonly bundle: Buffer;
}

/** Where a promotion outlives the process. */
export interface Promotions {
  current(): Promotion | null;
  /** Durable when it returns. */
  set(promotion: Promotion | null): Promise<void>;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const fileBytesMax = 8 * 1_048_576;

/** @returns why not: without this file nobody could say which policy was in force, and a start must not change it unseen */
export async function openPromotions(dataDir: string): Promise<Result<Promotions, string>> {
  const file = join(dataDir, 'promoted.json');
  const read = await diskFiles.bytes(file, fileBytesMax);
  if (!read.ok && read.why !== 'does not exist') return no(`${file} ${read.why}: ${wanted}`);
  const found = read.ok ? promotionOf(read.value) : null;
  if (found === 'damaged') return no(`${file} is damaged: ${wanted}`);
  return ok(new DiskPromotions(file, found));
}

const wanted =
  'nobody can say which policy was promoted; move it away to start with the one that the configuration names';

function promotionOf(bytes: Buffer): Promotion | 'damaged' | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (value === null) return null;
    const { revision, over, dataDir, atMs, actor, bundle } = promotionSchema.parse(value);
    return { revision, over, dataDir, atMs, actor, bundle: Buffer.from(bundle, 'base64') };
  } catch {
    return 'damaged';
  }
}

class DiskPromotions implements Promotions {
  readonly #file: string;
  #current: Promotion | null;

  constructor(file: string, current: Promotion | null) {
    this.#file = file;
    this.#current = current;
  }

  current(): Promotion | null {
    return this.#current;
  }

  async set(promotion: Promotion | null): Promise<void> {
    if (promotion?.atMs === this.#current?.atMs && promotion?.over === this.#current?.over) return;
    const text = promotion === null ? null : { format: 1, ...promotion, bundle: promotion.bundle.toString('base64') };
    await writeDurably(this.#file, `${JSON.stringify(text)}\n`);
    this.#current = promotion;
  }
}

interface Configured {
  readonly bundle: Buffer;
  readonly dataDir: string | null;
}

/** What is to be in force: the promoted bundle while the configuration holds what it took the place of, else the configured one. */
export function chosen(
  { bundle: configured, dataDir }: Configured,
  promotion: Promotion | null,
): { readonly bundle: Buffer; readonly promotion: (Promotion & { readonly over: string }) | null } {
  const over = sha256(configured);
  const isSame =
    promotion === null || (sha256(promotion.bundle) === over && (promotion.dataDir ?? dataDir) === dataDir);
  const stands = !isSame && (promotion.over === null || promotion.over === over);
  return stands
    ? { bundle: promotion.bundle, promotion: { ...promotion, over } }
    : { bundle: configured, promotion: null };
}
