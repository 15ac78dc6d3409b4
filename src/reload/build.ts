import type { Clock } from '../base/clock.js';
import { no } from '../base/result.js';
import type { Meter } from '../model/meter.js';
import type { CleanRequest } from '../model/request.js';
import type { Sessions } from '../model/session.js';
import type { Trail, Outcome } from '../model/trail.js';
import { createAuthorize, createPreview } from '../authorize/authorize.js';
import { createForward, type Upstream } from '../forward/forward.js';
import { createGate } from '../gate/gate.js';
import type { Generation, InspectBudget, Stages } from '../gateway/gateway.js';
import type { CallGeneration } from '../grpc/grpc.js';
import { createIdentify, type FailureBuckets, type KeyRing, type Verifier } from '../identify/identify.js';
import type { Judge, LeaseBook } from '../lease/lease.js';
import { createLimit, type Buckets } from '../limit/limit.js';
import { createRecord, type AuditLog, type RecordStage } from '../record/record.js';
import { createMessageReader, createResolve } from '../resolve/resolve.js';
import { buildCalls, type CallParts } from './calls.js';
import { credentialHeader, forwardRules, identityHeaders } from './forward-rules.js';
import { createJudge } from './judge.js';
import { headFacts, observingOf, type ObservedBook } from './observe.js';
import { answerHolding, objectLookups, watchingMoves, type ObjectBook } from './objects.js';
import { answerOptions, publishedOf, rpcHeaders } from './rpc.js';
import type { Sources } from './sources.js';

/** What outlives a generation: caches, buckets, the log, the keys, connections. */
export interface LongLived {
  readonly clock: Clock;
  /** Says whether a credential has expired: it does not go back with the wall clock. */
  readonly credentialClock: Clock;
  readonly meter: Meter;
  readonly ring: KeyRing;
  readonly verifier: Verifier;
  readonly failures: FailureBuckets;
  readonly buckets: Buckets;
  readonly auditLog: AuditLog;
  readonly inspectBudget: InspectBudget;
  readonly leases: LeaseBook;
  readonly objectBook: ObjectBook;
  readonly sessions: Sessions;
  readonly observed: ObservedBook;
  /** Null without a listener for gRPC. */
  readonly calls: CallParts | null;
  /** Told of the configuration in force. */
  readonly pressureSet: (options: Sources['loaded']['config']['gateway']) => void;
  /** Spaces whose creation the memory server has acknowledged. */
  readonly createdSpaces: { has(name: string): boolean; add(name: string): void };
  /** Told of every request that is over, for a candidate to be asked too. */
  readonly decided: (trail: Trail) => void;
  readonly keyUsed: (id: string, deprecated: boolean) => void;
  /** The client for these options; the same one while they stay the same. */
  readonly upstreamFor: (options: Sources['loaded']['config']['upstream']) => Upstream;
  /** That client is the one in force now: the others give their connections back once idle. */
  readonly upstreamSettled: (current: Upstream) => void;
}

/** The stages that every listener shares; only resolve and forward differ between clients and operators. */
export type SharedStages = Omit<Stages, 'resolve' | 'forward' | 'identify'> & { readonly record: RecordStage };

export interface BuiltGeneration extends Generation {
  readonly sources: Sources;
  readonly upstream: Upstream;
  readonly builtAtMs: number;
  /** Records bytes that never became a request. */
  readonly malformed: RecordStage['malformed'];
  readonly shared: SharedStages;
  /** What gRPC calls are judged under; null without a listener for them. */
  readonly calls: CallGeneration | null;
  /** Looks again at what lasts. */
  readonly judge: Judge;
  /** Operators always need a credential, whatever clients need. */
  readonly identifyOperator: Stages['identify'];
}

/** Builds the stage functions together over one set of sources. Nothing is in force until the reference is swapped. */
export function buildGeneration(sources: Sources, parts: LongLived): BuiltGeneration {
  const { config } = sources.loaded;
  const upstream = parts.upstreamFor(config.upstream);
  const isKnownSpace = knownSpaces(sources, parts);
  const shared = sharedStages(sources, parts, isKnownSpace);
  const enforcement = sources.modes.has('none') ? 'open' : config.enforcement;
  const identify = identifyStage(sources, parts, sources.modes);
  const resolve = resolveStage(sources, { ...parts, upstream, isKnownSpace });
  const observing = observingOf(sources, parts);
  const { observes, stands } = observing(headFacts(sources.profile, resolve));
  const stages: Stages = {
    ...shared,
    identify: enforcement === 'enforce' ? withinShare(identify) : identify,
    resolve,
    forward: watchingMoves(forwardStage(sources, upstream, parts), sources.profile, parts.objectBook),
  };
  const law = { hash: sources.hash, enforcement, observes, answers: answerOptions(sources) } as const;
  const calls =
    parts.calls &&
    buildCalls(parts.calls, { sources, law, stages, isKnownSpace, observing, rules: forwardRules(sources, parts) });
  const generation: Generation = {
    ...law,
    stages,
    published: publishedOf(sources),
  };
  return {
    ...generation,
    calls,
    sources,
    upstream,
    builtAtMs: parts.clock.nowMs(),
    shared,
    judge: createJudge({ ...generation, calls, stands }, sources, parts.clock),
    malformed: shared.record.malformed,
    identifyOperator: identifyStage(sources, parts, new Set(['api_key', 'static_token'])),
  };
}

interface Resolving extends LongLived {
  readonly upstream: Upstream;
  readonly isKnownSpace: (name: string) => boolean;
}

function resolveStage(sources: Sources, parts: Resolving): Stages['resolve'] {
  const { gateway } = sources.loaded.config;
  return createResolve({
    profile: sources.profile,
    isKnownSpace: parts.isKnownSpace,
    mcp: { sessions: parts.sessions, allowedOrigins: new Set(gateway.allowed_origins) },
    inspectMaxBytes: gateway.inspect_max_bytes,
    findObject: objectLookups(sources, parts.upstream, parts),
  });
}

/** Known is what policy data, a live key or a static token names, and what the memory server has created. */
function knownSpaces({ policy, loaded }: Sources, { ring, createdSpaces }: LongLived): (name: string) => boolean {
  const ofTokens = new Set(loaded.config.static_tokens.flatMap(({ spaces }) => spaces));
  return (name) =>
    policy.knownSpaces.has(name) || ring.grantedSpaces().has(name) || createdSpaces.has(name) || ofTokens.has(name);
}

function identifyStage(sources: Sources, parts: LongLived, modes: Sources['modes']): Stages['identify'] {
  const { ring: keys, verifier, failures, credentialClock: clock, meter, keyUsed: used } = parts;
  const { prefixes } = sources.loaded.config.keys;
  return createIdentify({ modes, prefixes, keys, verifier, failures, tokens: sources.tokens, clock, meter, used });
}

/** A caller that is known counts for itself, and may not have all places. */
function withinShare(identify: Stages['identify']): Stages['identify'] {
  type Answer = Awaited<ReturnType<Stages['identify']>>;
  const claimed = ({ place }: CleanRequest, answer: Answer): Answer => {
    const wrong = answer.ok ? place.claim(answer.value.subject) : null;
    return wrong === null ? answer : no(wrong);
  };
  return (request) => {
    const answer = identify(request);
    return answer instanceof Promise ? answer.then((late) => claimed(request, late)) : claimed(request, answer);
  };
}

function sharedStages(sources: Sources, parts: LongLived, isKnownSpace: (name: string) => boolean): SharedStages {
  const { config } = sources.loaded;
  const { clock, meter } = parts;
  const policyContext = { policy: sources.policy, readonly: config.switches.readonly, clock, meter };
  const record = createRecord({ log: parts.auditLog, meter, clock, durability: config.audit.durability });
  return {
    gate: createGate({
      allowedHosts: sources.allowedHosts,
      isTrustedProxy: sources.isTrustedProxy,
      protectedHeaders: [
        ...sources.profile.dropHeaders,
        ...rpcHeaders(sources),
        ...identityHeaders(sources),
        ...credentialHeader(sources),
      ],
    }),
    message: createMessageReader({ profile: sources.profile, isKnownSpace }),
    preview: createPreview(policyContext),
    authorize: createAuthorize(policyContext),
    limit: createLimit({ buckets: parts.buckets, clock, meter, system: config.limits.system ?? null }),
    record: {
      ...record,
      outcome: (trail, outcome) => {
        learnSpaces(trail, outcome, parts);
        record.outcome(trail, outcome);
        parts.decided(trail);
      },
    },
  };
}

/** A space whose creation was acknowledged is known from then on. */
function learnSpaces(trail: Trail, outcome: Outcome, { createdSpaces }: LongLived): void {
  const facts = trail.target?.facts;
  if (
    facts?.route.action !== 'space:create' ||
    outcome.status < 200 ||
    outcome.status > 299 ||
    outcome.notForwarded !== null
  )
    return;
  for (const name of facts.spaces.ids) if (!createdSpaces.has(name)) createdSpaces.add(name);
}

function forwardStage(sources: Sources, upstream: Upstream, parts: LongLived): Stages['forward'] {
  const { message_max_bytes: messageMaxBytes, first_message_timeout_ms: firstMessageMs } =
    sources.loaded.config.streams;
  const tunnel = { held: parts.inspectBudget, messageMaxBytes, firstMessageMs };
  return createForward({ upstream, holding: answerHolding(sources, parts), tunnel, ...forwardRules(sources, parts) });
}
