import type { Clock } from '../base/clock.js';
import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { LimitSpec, LimitState } from '../model/decision.js';
import type { Meter } from '../model/meter.js';
import { Admission, type Permit } from '../model/proofs.js';
import type { Trail } from '../model/trail.js';
import type { Buckets, Standing } from './buckets.js';
import { demandsOf } from './demands.js';

export { createBuckets, type Buckets, type Demand, type Standing, type TakeResult } from './buckets.js';

export interface LimitContext {
  /** Outlives the generation: a reload gives nobody fresh units, unless it changes the definition of the limit, which starts full. */
  readonly buckets: Buckets;
  readonly clock: Clock;
  readonly meter: Meter;
  /** Requests per second of all callers together, or null. */
  readonly system: { readonly rate: number; readonly burst: number } | null;
}

/**
 * Makes the stage that takes the cost of a request from every limit of its decision, or from none.
 *
 * It refuses with `limit.exceeded`, which tells the whole seconds after which all limits can have room, or with
 * `limit.cost`, which never can. Either way the limit with the smallest share left is noted on the trail.
 */
export function createLimit(context: LimitContext): (permit: Permit, trail: Trail) => Result<Admission, Refusal> {
  const { buckets, clock, meter } = context;
  const system = systemLimit(context);
  return (permit, trail) => {
    const demands = demandsOf(permit, system);
    if (demands.length === 0) return ok(Admission.admit(permit, null));
    const result = buckets.take(demands, clock.monotonicMs());
    const state = result.tightest === null ? null : stateOf(result.tightest, clock.nowMs());
    trail.limit = state;
    if (result.taken) return ok(Admission.admit(permit, state));
    meter.limitHit(result.blocking.id, permit.decision.tier);
    return no(refusalFor(result.blocking, result.waitMs));
  };
}

const systemLimit = ({ system }: LimitContext): LimitSpec | null =>
  system && {
    id: 'system',
    key: ['system'],
    algorithm: 'token_bucket',
    rate: system.rate,
    per: 1,
    burst: system.burst,
    cost: 1,
  };

const stateOf = ({ limit, remaining, fullInMs }: Standing, nowMs: number): LimitState => ({
  id: limit.id,
  limit: limit.rate,
  perS: limit.per,
  remaining,
  resetAtS: Math.ceil((nowMs + fullInMs) / 1000),
});

function refusalFor({ id, cost, rate, burst }: LimitSpec, waitMs: number): Refusal {
  // Telling when to come back would be a lie: this cost fits into no moment.
  if (waitMs === Infinity)
    return refuse('limit.cost', `limit ${id}: cost ${String(cost)} is over ${String(burst ?? rate)}`);
  return refuse('limit.exceeded', `limit ${id} is used up`, { retryAfterS: Math.max(1, Math.ceil(waitMs / 1000)) });
}
