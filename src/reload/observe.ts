import { hash } from 'node:crypto';
import { addressGroup } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import type { Config } from '../config/config.js';
import type { Generation } from '../gateway/gateway.js';
import { isUsable, keyState, type KeyLookup } from '../identify/identify.js';
import type { CleanRequest } from '../model/request.js';
import { anonymous, type Subject } from '../model/subject.js';
import type { HeadFacts, Trail } from '../model/trail.js';
import type { Resolve, ResolveCall } from '../resolve/resolve.js';
import { routePattern } from './checks.js';
import type { Sources } from './sources.js';

/** What is known of a request that a refusal did not stop; for as long as the request is. */
export type ObservedBook = WeakMap<CleanRequest, Caller>;

interface Caller {
  readonly request: CleanRequest;
  /** Null without a good credential. */
  readonly subject: Subject | null;
  /** Null where the refusal came before the route was known. */
  readonly facts: HeadFacts | null;
}

/** What a generation lets pass though it would be refused. */
export interface Observing {
  readonly observes: Generation['observes'];
  /** Whether it would still let pass what has lasted since then. */
  stands(request: CleanRequest): boolean;
}

/** Route and spaces of a request that was refused before they were known. */
export type FactsOf = (request: CleanRequest, subject: Subject | null) => HeadFacts | null;

interface ObservingPorts {
  readonly book: ObservedBook;
  readonly factsOf: FactsOf;
  /** Whether its credential holds at this moment. */
  readonly lives: (subject: Subject) => boolean;
}

interface Ports {
  readonly observed: ObservedBook;
  readonly ring: KeyLookup;
  readonly clock: Clock;
}

/** The same for requests and for calls, which tell their route otherwise. */
export const observingOf =
  (sources: Sources, { observed: book, ring, clock }: Ports) =>
  (factsOf: FactsOf): Observing =>
    createObserving(sources, {
      book,
      factsOf,
      lives: ({ kind, id }) => {
        if (kind === 'static_token') return sources.tokens.latest(id) !== undefined;
        const entry = ring.find(id);
        return kind === 'anonymous' || (entry !== undefined && isUsable(keyState(entry, clock.nowMs())));
      },
    });

/** Compiles the rules of `observe`. Whatever a rule asks about has to be known: what is not, is enforced. */
function createObserving(
  { loaded, modes }: Pick<Sources, 'loaded' | 'modes'>,
  { book, factsOf, lives }: ObservingPorts,
): Observing {
  const { enforcement, observe } = loaded.config;
  const isForAll = enforcement === 'observe' || modes.has('none');
  if (!isForAll && observe.length === 0) return { observes: null, stands: () => false };
  const rules = observe.map(compileRule);
  const isCovered = (caller: Caller): boolean => isForAll || rules.some((rule) => rule(caller));
  return {
    observes: (trail, { code }) => {
      const { request, subject } = trail;
      if (request === null || (!isForAll && code.startsWith('pressure.'))) return false; // a share of the places is no right
      const caller = { request, subject, facts: noted(trail, factsOf) };
      if (!isCovered(caller)) return false;
      book.set(request, caller);
      return true;
    },
    stands: (request) => {
      const caller = book.get(request);
      return caller !== undefined && (caller.subject === null || lives(caller.subject)) && isCovered(caller);
    },
  };
}

/** The record tells the route also of who was refused before anybody asked for it. */
function noted(trail: Trail, factsOf: FactsOf): HeadFacts | null {
  if (trail.target === null && trail.stated === null && trail.request !== null)
    trail.stated = factsOf(trail.request, trail.subject);
  return trail.target?.facts ?? trail.stated;
}

type Rule = (caller: Caller) => boolean;

function compileRule({ routes, spaces, subjects, percent }: Config['observe'][number]): Rule {
  const wanted: Rule[] = [];
  if (routes !== undefined) {
    const patterns = routes.map(routePattern);
    wanted.push(({ facts }) => facts !== null && patterns.some((pattern) => pattern.test(facts.route.id)));
  }
  if (spaces !== undefined) {
    const names = new Set(spaces);
    wanted.push(({ facts }) => facts !== null && holdsOnly(facts.spaces, names));
  }
  if (subjects !== undefined) {
    const ids = new Set(subjects);
    wanted.push(({ subject }) => subject !== null && ids.has(subject.id));
  }
  if (percent !== undefined) wanted.push((caller) => shareOf(caller) < percent);
  return (caller) => wanted.every((isTrue) => isTrue(caller));
}

const holdsOnly = ({ all, ids }: HeadFacts['spaces'], names: ReadonlySet<string>): boolean =>
  !all && ids.length > 0 && ids.every((name) => names.has(name));

/** Where a caller stands between 0 and 100: always in one place, so that a larger part holds the smaller one. */
function shareOf({ request, subject }: Caller): number {
  const key = subject === null ? `address:${addressGroup(request.clientAddress)}` : `${subject.kind}:${subject.id}`;
  return (hash('sha256', key, 'buffer').readUInt32BE(0) / 2 ** 32) * 100;
}

const noSpaces: HeadFacts['spaces'] = { all: false, ids: [], unknown: [], explicit: false };

/** What the head alone tells: nothing is read, looked up or begun for a caller who is nobody yet. */
export const headFacts =
  (profile: Sources['profile'], resolve: Resolve): FactsOf =>
  (request, subject) => {
    const found = profile.table.find(request.method === 'HEAD' ? 'GET' : request.method, request.path);
    if (found === null || !('value' in found)) return null;
    const { facts: route, mcp } = found.value;
    const head = subject === null && mcp === null ? resolve(request, anonymous) : null;
    const preview = head?.ok === true ? head.value.preview : null;
    return preview ?? { route, params: found.params, spaces: noSpaces, tool: null };
  };

/** The same for a call of gRPC, whose spaces stand in the message. */
export const callFacts =
  (resolve: ResolveCall): FactsOf =>
  (request) => {
    const head = resolve(request, null);
    return head.ok ? { route: head.value.route, params: {}, spaces: noSpaces, tool: null } : null;
  };
