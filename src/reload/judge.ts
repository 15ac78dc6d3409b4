import { lapsed, type Judge } from '../lease/lease.js';
import type { Clock } from '../base/clock.js';
import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { Lease } from '../model/lease.js';
import type { Identity, Permit } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { SpaceSet } from '../model/target.js';
import type { HeadFacts } from '../model/trail.js';
import { createMessageJudge, type Generation } from '../gateway/gateway.js';
import type { CallGeneration } from '../grpc/grpc.js';
import type { Sources } from './sources.js';

interface Law extends Generation {
  /** What gRPC calls are judged under. */
  readonly calls: CallGeneration | null;
  /** Whether what nobody permitted is still only observed. */
  readonly stands: (request: CleanRequest) => boolean;
}

/** Judges what lasts as this generation would judge it if it came now. */
export function createJudge(law: Law, { modes }: Pick<Sources, 'modes'>, clock: Clock): Judge {
  const taken: ReadonlySet<string> = modes;
  return {
    message: createMessageJudge(law, clock),
    review({ request, permit, isCall, entered }, identity) {
      if (law.enforcement !== 'enforce') return null; // nothing is blocked, so nothing is broken off
      if (permit === null || identity === null)
        return law.stands(request) ? null : refuse('lease.denied', 'was only observed, and is enforced now');
      const { kind } = identity.subject;
      if (!taken.has(kind)) return lapsed(refuse('identify.unauthenticated', `auth_mode takes no ${kind} by now`));
      const facts = isCall === true ? callNow(law, permit) : factsNow(law, permit, identity);
      const why = facts.ok ? denial(law, { permit, identity }, facts.value) : facts.why;
      return why === null ? messagesDenial(law, identity, entered) : denied(why);
    },
  };
}

/** The spaces that messages chose are no part of the handshake, and are asked about as they were then. */
function messagesDenial(law: Law, identity: Identity, entered: Lease['entered']): Refusal | null {
  for (const permit of entered?.values() ?? []) {
    if (permit === null) return refuse('lease.denied', 'a message was only observed, and messages are enforced now');
    const why = denial(law, { permit, identity }, permit.target.facts);
    if (why !== null) return denied(why);
  }
  return null;
}

const denied = ({ code, detail, missing = [], reasons = [] }: Refusal): Refusal =>
  refuse('lease.denied', `${code}: ${detail}`, { missing, reasons });

interface Asking {
  readonly permit: Permit;
  readonly identity: Identity;
}

/** The question to the policy, without a token of any limit: the request took its own when it came. */
const denial = ({ stages }: Law, { permit, identity }: Asking, facts: HeadFacts): Refusal | null =>
  stages.preview(identity, facts, { request: permit.target.request, stated: null, input: null, decision: null });

/** The route as the profile of today has it; the spaces that were decided on, for what was read of the body is gone. */
function factsNow({ stages }: Law, { target }: Permit, { subject }: Identity): Result<HeadFacts, Refusal> {
  const head = stages.resolve(target.request, subject);
  if (!head.ok) return head;
  const now = head.value.preview;
  const { route: then, params, spaces, tool } = target.facts;
  const route = now?.route ?? head.value.routeNow(then);
  if (route === null) return no(refuse('resolve.unknown-route', 'the profile does not list it any more'));
  return ok({ route, params, spaces: latest(spaces, now?.spaces), tool });
}

/** A call: the method may be gone; what its message said is gone as well. */
function callNow({ calls }: Law, { target }: Permit): Result<HeadFacts, Refusal> {
  const head = calls === null ? null : calls.stages.resolve(target.request, null);
  if (head === null) return no(refuse('resolve.unknown-route', 'there is no listener for gRPC any more'));
  if (!head.ok) return head;
  const route = head.value.routeNow(target.facts.route) ?? target.facts.route;
  return ok({ ...target.facts, route });
}

/** Whether a space is known may have changed. */
const latest = (then: SpaceSet, now: SpaceSet | undefined): SpaceSet =>
  now !== undefined && now.all === then.all && now.ids.join() === then.ids.join() ? now : then;
