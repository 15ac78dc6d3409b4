import { no, ok, type Result } from '../base/result.js';
import type { Generation } from '../gateway/gateway.js';
import type { ForwardReply, Forwarded } from '../forward/forward.js';
import type { Actor } from '../model/audit.js';
import { Fault, refuse, type Refusal } from '../model/codes.js';
import type { Receipt } from '../model/proofs.js';
import { Receipt as ReceiptProof } from '../model/proofs.js';
import { createResolve } from '../resolve/resolve.js';
import type { BuiltGeneration } from '../reload/reload.js';
import { adminBodyBytesMax, adminProfile, adminQueries } from './profile.js';

/** What a route of ours does once it is permitted and recorded. */
export type AdminAction = (call: {
  readonly actor: Actor;
  /** Of the path. */
  readonly params: Readonly<Record<string, string>>;
  /** Of the names that the route takes alone, each once. */
  readonly query: ReadonlyMap<string, string>;
}) => Promise<{ readonly status: number; readonly body: unknown }>;

export type AdminActions = Readonly<Record<string, AdminAction>>;

/** The operators' generation: gate, policy, limits and record of the one in force, our own routes, and actions in the place of an upstream. */
export function createAdmin(actions: AdminActions): (built: BuiltGeneration) => Generation {
  const known = new WeakMap<BuiltGeneration, Generation>();
  const resolve = createResolve({
    profile: adminProfile,
    isKnownSpace: () => false,
    inspectMaxBytes: adminBodyBytesMax,
  });
  return (built) => {
    const cached = known.get(built);
    if (cached !== undefined) return cached;
    const generation: Generation = {
      hash: built.hash,
      enforcement: 'enforce', // observing clients does not open the operators' door
      observes: null,
      answers: { ...built.answers, rpc: null },
      published: null,
      stages: {
        ...built.shared,
        identify: built.identifyOperator,
        resolve,
        forward: (proof, reply) => {
          if (!(proof instanceof ReceiptProof)) throw new Fault('self.bug', 'an operator route without a receipt');
          return act(actions, proof, reply);
        },
      },
    };
    known.set(built, generation);
    return generation;
  };
}

function queryOf(
  route: string,
  pairs: Receipt['admission']['permit']['target']['request']['query'],
): ReadonlyMap<string, string> | null {
  const taken = adminQueries[route] ?? {};
  const query = new Map<string, string>();
  for (const { name, value } of pairs) {
    if (query.has(name) || !Object.hasOwn(taken, name) || taken[name]?.test(value) !== true) return null;
    query.set(name, value);
  }
  return query;
}

type AdminTarget = Receipt['admission']['permit']['target'];

/** A misspelt wish, or one in a body such as `{"dry_run": true}`, would be left unheard, and the opposite of it done. */
function wishesOf({ facts: { route, body }, request }: AdminTarget): Result<ReadonlyMap<string, string>, Refusal> {
  const query = queryOf(route.id, request.query);
  if (query === null) return no(refuse('resolve.query', 'the route takes no such parameter, or not twice'));
  const isNothing = body === null || ['', '{}'].includes(body.toString('latin1').replace(/\s+/g, ''));
  if (isNothing) return ok(query);
  return no(refuse('resolve.body', 'the route takes no body: what it takes stands in the query'));
}

async function act(
  actions: AdminActions,
  receipt: Receipt,
  { response, ownHeaders }: ForwardReply,
): Promise<Forwarded> {
  const { identity, target } = receipt.admission.permit;
  const gone = identity.live();
  if (gone !== null) return { ok: false, why: gone };
  const action = actions[target.facts.route.id];
  if (action === undefined) throw new Fault('self.bug', `no action for route ${target.facts.route.id}`);
  const { kind, id } = identity.subject;
  const actor: Actor = { kind: kind === 'anonymous' ? 'system' : kind, id, address: target.request.clientAddress };
  const query = wishesOf(target);
  if (!query.ok) return query;
  const answer = await action({ actor, params: target.facts.params, query: query.value });
  const bytes = Buffer.from(`${JSON.stringify(answer.body)}\n`);
  response.writeHead(answer.status, [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(bytes.length),
    'Cache-Control',
    'no-store',
    ...ownHeaders,
  ]);
  response.end(target.request.method === 'HEAD' ? undefined : bytes);
  return {
    ok: true,
    value: {
      status: answer.status,
      endedBy: 'completed',
      notForwarded: null,
      code: null,
      requestBytes: target.request.body.received,
      responseBytes: bytes.length,
      upstreamMs: null,
    },
  };
}
