import type { Clock } from '../base/clock.js';
import { createLookups, type AnswerHolding, type Forward, type HeldBytes, type Moves } from '../forward/forward.js';
import type { Upstream } from '../forward/forward.js';
import type { Meter } from '../model/meter.js';
import type { FindObject } from '../model/object.js';
import type { Permission } from '../model/permissions.js';
import { Receipt, type Observed } from '../model/proofs.js';
import type { SpaceSet } from '../model/target.js';
import type { Profile } from '../resolve/resolve.js';
import type { Sources } from './sources.js';

/** What outlives a generation: answers that are held, and writes that are under way. */
export interface ObjectBook {
  readonly heldBytes: HeldBytes;
  readonly moves: Moves;
}

export const openObjectBook = (): ObjectBook => ({ heldBytes: { now: 0 }, moves: { open: 0, ended: 0 } });

interface ObjectParts {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly objectBook: ObjectBook;
}

/** How answers are held. */
export function answerHolding({ loaded }: Sources, { meter, objectBook }: ObjectParts): AnswerHolding {
  const { objects } = loaded.config.upstream;
  return {
    maxBytes: objects.answer_max_bytes,
    spacesMax: objects.filter_space_entries,
    inProgressMax: objects.answer_bytes_in_progress,
    heldBytes: objectBook.heldBytes,
    meter,
  };
}

/** Who is asked which space an object has. */
export function objectLookups(sources: Sources, upstream: Upstream, parts: ObjectParts): FindObject {
  const { clock, meter, objectBook } = parts;
  const { objects } = sources.loaded.config.upstream;
  const own = sources.credential?.credential ?? null;
  const credential = (spaces: SpaceSet): readonly string[] => {
    const value = own?.valueFor(spaces) ?? null;
    return own === null || value === null ? [] : [own.header, value];
  };
  return createLookups({
    upstream,
    clock,
    meter,
    moves: objectBook.moves,
    credential,
    options: {
      concurrency: objects.lookup_concurrency,
      queue: objects.lookup_queue,
      timeoutMs: objects.lookup_timeout_ms,
      maxBytes: objects.lookup_max_bytes,
      cacheEntries: objects.lookup_cache_entries,
    },
  });
}

const reads: ReadonlySet<Permission> = new Set(['MemoryRead', 'SpaceList', 'SystemHealth', 'SystemMetrics']);

type MayMove = (proof: Receipt | Observed) => boolean;

/** Which requests may move an object to another space; null where no answer to a look-up is used again. */
function moversOf({ data }: Profile): MayMove | null {
  const kept = data.routes.flatMap(({ object }) =>
    typeof object === 'object' && object.lookup !== undefined && object.lookup.cache_ms > 0 ? [object.lookup] : [],
  );
  if (kept.length === 0) return null;
  const named = new Set(kept.flatMap(({ moved_by: ids = [] }) => ids));
  const isAnyWrite = kept.some(({ moved_by: ids }) => ids === undefined);
  return (proof) => {
    const target = proof instanceof Receipt ? proof.admission.permit.target : proof.target;
    if (target === null) return true; // observed, and not understood
    const { id, permission } = target.facts.route;
    return named.has(id) || (isAnyWrite && !reads.has(permission));
  };
}

/** While a write that may move an object is under way, no answer of a look-up is kept or used again. */
export function watchingMoves(forward: Forward, profile: Profile, { moves }: ObjectBook): Forward {
  const mayMove = moversOf(profile);
  if (mayMove === null) return forward;
  return (proof, reply) => {
    if (!mayMove(proof)) return forward(proof, reply);
    moves.open += 1;
    return forward(proof, reply).finally(() => {
      moves.open -= 1;
      moves.ended += 1;
    });
  };
}
