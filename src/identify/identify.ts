import { addressGroup } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { AuthReason, Meter } from '../model/meter.js';
import { Identity } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import { anonymous } from '../model/subject.js';
import { apiKeyOf, bearerOf } from './credential.js';
import type { FailureBuckets } from './failures.js';
import { idIn, isKeyLike, parseKey } from './key.js';
import { isUsable, keyState, type KeyEntry, type KeyState } from './key-entry.js';
import type { KeyLookup } from './ring.js';
import { reasonOf } from './reasons.js';
import { keySubject, tokenSubject } from './subjects.js';
import type { StaticTokenEntry, StaticTokens } from './tokens.js';
import type { Verifier } from './verifier.js';

export { createFailureBuckets, type FailureBuckets } from './failures.js';
export { isKeyLike, keyIdForm, newKey, parseKey, type NewKey, type ParsedKey } from './key.js';
export { hashKey, isWeakHash, matchesHash, phcProblem } from './key-hash.js';
export { isUsable, keyState, spacesProblem, type KeyEntry, type KeyState, type Revocation } from './key-entry.js';
export {
  idConflicts,
  listManifests,
  loadManifestFiles,
  loadManifests,
  type KnownNames,
  type LoadedManifests,
} from './manifest.js';
export { createKeyRing, type KeyLookup, type KeyRing } from './ring.js';
export {
  loadStaticTokens,
  type StaticTokenEntry,
  type StaticTokens,
  type StaticTokenSpec,
  type StaticTokensContext,
} from './tokens.js';
export { createVerifier, type Verdict, type Verifier, type VerifierOptions, type VerifierStats } from './verifier.js';

export type AuthMode = 'api_key' | 'static_token' | 'none';

/** What identify works with. All of it outlives a generation but `modes` and `prefixes`. */
export interface IdentifyContext {
  readonly modes: ReadonlySet<AuthMode>;
  readonly prefixes: readonly string[];
  readonly keys: KeyLookup;
  readonly verifier: Verifier;
  readonly failures: FailureBuckets;
  readonly tokens: StaticTokens;
  readonly clock: Clock;
  readonly meter: Meter;
  /** Told on every accepted use of a key; must not block. */
  used(id: string, deprecated: boolean): void;
}

type Answer = Result<Identity, Refusal>;

type Known = Extract<Answer, { readonly ok: true }>;

const unauthenticated = (detail: string, reason?: AuthReason): Refusal =>
  refuse('identify.unauthenticated', detail, reason === undefined ? {} : { reasons: [reason] });

/** The stage. An answer comes at once unless a key must be hashed; equal entries share one frozen identity. */
class Identify {
  readonly #context: IdentifyContext;
  readonly #known = new WeakMap<KeyEntry | StaticTokenEntry, Known>();
  readonly #anonymous: Answer = ok(Identity.verified(anonymous, () => null));

  constructor(context: IdentifyContext) {
    this.#context = context;
  }

  answer(request: CleanRequest): Answer | Promise<Answer> {
    const { modes, prefixes } = this.#context;
    if (modes.has('none') && modes.size === 1) return this.#accept(this.#anonymous);
    const authorization = request.header('authorization');
    const apiKey = request.header('x-api-key');
    if (authorization !== undefined && apiKey !== undefined) {
      this.#context.meter.authAttempt('failure', 'many');
      return no(refuse('identify.many-credentials', 'Authorization and X-API-Key'));
    }
    if (authorization === undefined && apiKey === undefined)
      return modes.has('none') ? this.#accept(this.#anonymous) : this.#reject('absent');
    const credential = apiKey === undefined ? bearerOf(authorization ?? '') : apiKeyOf(apiKey);
    if (credential === null) return this.#reject('malformed');
    // The form alone chooses the verifier; a no is final, whatever another verifier would say.
    if (isKeyLike(credential, prefixes))
      return modes.has('api_key') ? this.#byKey(credential, request) : this.#reject('unknown');
    return modes.has('static_token') ? this.#byToken(credential, request) : this.#reject('unknown');
  }

  #byKey(credential: string, request: CleanRequest): Answer | Promise<Answer> {
    const { prefixes, keys, clock, verifier, meter } = this.#context;
    // Where the id would stand is enough to recall: what was verified before, whole, was well-formed then.
    const entry = keys.find(idIn(credential, prefixes));
    // A dead key is never answered from memory: it takes the way and the time of an unknown one.
    if (entry !== undefined && isUsable(keyState(entry, clock.nowMs())) && verifier.recall(credential, entry)) {
      meter.keyValidation('hit');
      return this.#acceptKey(entry);
    }
    const parsed = parseKey(credential, prefixes);
    if (parsed === null) return this.#reject('malformed');
    return this.#hashed(credential, parsed.id, addressGroup(request.clientAddress));
  }

  async #hashed(credential: string, id: string, group: string): Promise<Answer> {
    const { keys, clock, verifier, failures } = this.#context;
    const stateNow = (entry: KeyEntry | undefined): KeyState | null =>
      entry === undefined ? null : keyState(entry, clock.nowMs());
    if (failures.exhausted(group, id) > 0) return this.#throttled(group, id);
    const entry = keys.find(id);
    const verdict = await verifier.verify(credential, entry ?? null, {
      claim: async () => {
        const claim = await failures.claim(group, id);
        return (
          claim && {
            admits: () => failures.exhausted(group, id) === 0,
            end: (outcome) => {
              const opensNothing = outcome === 'right' && !isUsable(stateNow(keys.find(id)) ?? 'revoked');
              claim.end(outcome === 'wrong' || opensNothing);
            },
          }
        );
      },
    });
    if (verdict === 'throttled') return this.#throttled(group, id);
    if (verdict === 'busy') return this.#busy();
    if (verdict === 'no') return this.#reject(entry === undefined ? 'unknown' : 'wrong', id);
    const current = keys.find(id); // it may have been revoked or replaced while the hash was computed
    if (current === undefined || current.hash !== entry?.hash) return this.#reject('unknown', id);
    const reason = reasonOf(keyState(current, clock.nowMs()));
    return reason === null ? this.#acceptKey(current) : this.#reject(reason, id);
  }

  #byToken(credential: string, request: CleanRequest): Answer {
    const { tokens, failures } = this.#context;
    const entry = tokens.find(credential); // compared first: an address with too many guesses does not lock the right token out
    if (entry === undefined) {
      const group = addressGroup(request.clientAddress);
      if (failures.exhausted(group, null) > 0) return this.#throttled(group, null);
      failures.charge(group, null);
      return this.#reject('unknown');
    }
    return this.#accept(this.#ofToken(entry));
  }

  #acceptKey(entry: KeyEntry): Answer {
    const known = this.#ofKey(entry);
    const isDeprecated = entry.rotation !== null;
    if (isDeprecated) this.#context.meter.deprecatedKeyUse();
    this.#context.used(entry.id, isDeprecated);
    return this.#accept(known);
  }

  #ofKey(entry: KeyEntry): Known {
    const known = this.#known.get(entry);
    if (known !== undefined) return known;
    const latest = (): Identity => this.#ofKey(this.#context.keys.find(entry.id) ?? entry).value;
    const made = ok(Identity.verified(keySubject(entry), () => this.#keyLives(entry), latest));
    this.#known.set(entry, made);
    return made;
  }

  #ofToken(entry: StaticTokenEntry): Known {
    const known = this.#known.get(entry);
    if (known !== undefined) return known;
    const latest = (): Identity => this.#ofToken(this.#context.tokens.latest(entry.spec.id) ?? entry).value;
    const made = ok(Identity.verified(tokenSubject(entry), () => this.#tokenLives(entry), latest));
    this.#known.set(entry, made);
    return made;
  }

  #keyLives({ id, hash }: KeyEntry): Refusal | null {
    const current = this.#context.keys.find(id);
    if (current?.hash !== hash) return unauthenticated(`key ${id}: unknown by now`);
    const reason = reasonOf(keyState(current, this.#context.clock.nowMs()));
    return reason === null ? null : unauthenticated(`key ${id}: ${reason} by now`, reason);
  }

  #tokenLives(entry: StaticTokenEntry): Refusal | null {
    return this.#context.tokens.current(entry.spec.id) === entry
      ? null
      : unauthenticated(`static token ${entry.spec.id}: replaced by now`);
  }

  #accept(answer: Answer): Answer {
    this.#context.meter.authAttempt('success', 'none');
    return answer;
  }

  #reject(reason: AuthReason, id?: string): Answer {
    this.#context.meter.authAttempt('failure', reason);
    return no(unauthenticated(id === undefined ? reason : `key ${id}: ${reason}`));
  }

  #throttled(group: string, id: string | null): Answer {
    const { meter, failures } = this.#context;
    meter.authAttempt('failure', 'throttled');
    const retryAfterS = Math.max(1, failures.exhausted(group, id));
    return no(
      refuse('identify.too-many-failures', `${id === null ? 'a token' : `key ${id}`} from ${group}`, { retryAfterS }),
    );
  }

  #busy(): Answer {
    this.#context.meter.authAttempt('failure', 'busy');
    return no(refuse('identify.busy', 'the queue of verifications is full', { retryAfterS: 1 }));
  }
}

/**
 * The stage that turns a request's one credential into an Identity.
 *
 * @returns a stage that refuses with `identify.unauthenticated` (one answer for every cause; the true one is in `detail`),
 *   `identify.many-credentials`, `identify.too-many-failures` or `identify.busy`
 */
export function createIdentify(context: IdentifyContext): (request: CleanRequest) => Answer | Promise<Answer> {
  const stage = new Identify(context);
  return (request) => stage.answer(request);
}
