import { newDecisionId } from '../base/ids.js';
import type { Clock } from '../base/clock.js';
import { no, ok } from '../base/result.js';
import { refuse, type Fault, type Refusal } from '../model/codes.js';
import type { Lease, MessageVerdict, TunnelMessage } from '../model/lease.js';
import { freePlace } from '../model/place.js';
import type { Identity, Permit } from '../model/proofs.js';
import type { CleanRequest, RawRequest, RequestBody } from '../model/request.js';
import { newTrail, type Outcome, type Trail } from '../model/trail.js';
import { asFault, statusOf } from './respond.js';
import type { Generation } from './stages.js';

/** Decides on a message of a tunnel. */
export type JudgeMessage = (lease: Lease, identity: Identity, message: TunnelMessage) => Promise<MessageVerdict>;

/** The way of a message that names a space: the same steps as for a request, from resolve to record, and one outcome. */
export function createMessageJudge(generation: Generation, clock: Clock): JudgeMessage {
  const { enforcement, stages } = generation;
  return async ({ request: opener, entered }, identity, message) => {
    if (enforcement !== 'enforce') {
      entered?.set(unjudged, null); // nothing is blocked now; what it opened is not let stand when it is again
      return ok(() => undefined);
    }
    const request = messageOf(opener, message, clock);
    const trail = trailOf(generation, { request, opener, identity });
    const end = (outcome: Pick<Outcome, 'code' | 'notForwarded' | 'status'>): void => {
      const { text } = message;
      stages.record.outcome(trail, { requestBytes: text.length, ...outcome, ...ended(outcome) });
    };
    const refused = async (why: Refusal | Fault): Promise<MessageVerdict> => {
      await stages.record.refusal(trail, why);
      end({ status: statusOf(why.code), code: why.code, notForwarded: why.code });
      return no(why);
    };
    try {
      const why = await pass(generation, { request, trail, identity, message, entered });
      if (why === 'undecided') return ok(() => undefined);
      if (why !== null) return await refused(why);
    } catch (thrown) {
      return refused(asFault(thrown, () => undefined));
    }
    return ok((wasForwarded) => {
      end({ status: tunnelStatus, code: null, notForwarded: wasForwarded ? null : 'client.left' });
    });
  };
}

const tunnelStatus = 101;

const ended = ({ code }: Pick<Outcome, 'code'>): Pick<Outcome, 'endedBy' | 'responseBytes' | 'upstreamMs'> => ({
  endedBy: code === null ? 'completed' : 'gateway',
  responseBytes: 0,
  upstreamMs: null,
});

interface Passing {
  readonly request: CleanRequest;
  readonly trail: Trail;
  readonly identity: Identity;
  readonly message: TunnelMessage;
  readonly entered: Lease['entered'];
}

/** Spaces of one tunnel that are remembered; more than one client works in. */
const enteredMax = 256;
const unjudged = '';

/** A server may go on telling of a space until the end of the tunnel: the right to it is looked at as long. */
function enter(entered: Lease['entered'], permit: Permit): void {
  if (entered === undefined) return;
  const { all, ids } = permit.target.facts.spaces;
  entered.set(all ? '*' : ids.join(), permit);
  const [oldest] = entered.keys();
  if (entered.size > enteredMax && oldest !== undefined) entered.delete(oldest);
}

/** @returns why not; null when the yes is on disk; `undecided` for a message that names nothing */
async function pass(
  { stages }: Generation,
  { request, trail, identity, message, entered }: Passing,
): Promise<Refusal | Fault | null | 'undecided'> {
  const target = stages.message(request, identity.subject, message);
  if (!target.ok) return target.why;
  if (target.value === null) return 'undecided';
  trail.target = target.value;

  const permit = stages.authorize(identity, target.value, trail);
  if (!permit.ok) return permit.why;

  const admission = await stages.limit(permit.value, trail);
  if (!admission.ok) return admission.why;

  const receipt = await stages.record.decision(admission.value, trail);
  const gone = receipt.admission.permit.identity.live();
  if (gone === null) enter(entered, permit.value);
  return gone;
}

function messageOf(opener: CleanRequest, { text }: TunnelMessage, clock: Clock): CleanRequest {
  const receivedAtMs = clock.nowMs();
  const body = wholeBody(text.length);
  return opener.message({ id: newDecisionId(receivedAtMs), receivedAtMs, startedMs: clock.monotonicMs(), body });
}

const wholeBody = (length: number): RequestBody => ({
  framing: 'length',
  length,
  isComplete: true,
  received: length,
  collect: () => Promise.resolve(no(refuse('tunnel.message', 'a message is read already'))),
  stream: () => {
    throw new Error('a message is no stream');
  },
  discard: () => Promise.resolve(),
});

interface Origin {
  readonly request: CleanRequest;
  readonly opener: CleanRequest;
  readonly identity: Identity;
}

function trailOf(generation: Generation, { request, opener, identity }: Origin): Trail {
  const raw: RawRequest = {
    id: request.id,
    receivedAtMs: request.receivedAtMs,
    startedMs: request.startedMs,
    method: request.method,
    target: request.path,
    httpVersion: '1.1',
    rawHeaders: [],
    peerAddress: request.clientAddress,
    body: request.body,
    place: freePlace,
  };
  return { session: opener.id, ...newTrail(raw, generation), request, subject: identity.subject };
}
