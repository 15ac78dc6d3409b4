import { createHmac, createSecretKey, randomUUID, type KeyObject } from 'node:crypto';
import type { Clock } from '../base/clock.js';
import { kept } from '../base/kept.js';
import type { LiveSecret } from '../base/live-secret.js';
import { Secret } from '../base/secret.js';
import { Fault } from '../model/codes.js';
import type { SpaceSet } from '../model/target.js';
import { headerValue, touchesNone, type CredentialForm, type UpstreamCredential } from './credential.js';

/** What a token says beside whom it is for. */
export interface MintRules {
  readonly secret: LiveSecret;
  /** From making to expiry. */
  readonly ttlMs: number;
  /** The same in every token; never one of those that are written here. */
  readonly claims: Readonly<Record<string, string | number | boolean>>;
  /** A `jti` in every token, so that no two are the same. */
  readonly hasId: boolean;
  /** Who a request is that reaches several spaces or all; null: there is no token for it. */
  readonly adminSubject: string | null;
}

/** A token is used again for this part of its life: so much of it is left at least when it arrives. */
const reusedPart = 0.5;
const keptTokensMax = 1_024;

interface KeptToken {
  readonly value: Secret;
  readonly of: Secret;
  readonly fromMs: number;
}

/**
 * A token for each request, for servers that take the user from it: `sub` is the one space that was decided on.
 *
 * @see RFC 7519
 */
export function mintedCredential(form: CredentialForm, rules: MintRules, clock: Clock): UpstreamCredential {
  const tokens = new Map<string, KeptToken>();
  return {
    header: form.header,
    valueFor: (spaces) => {
      if (touchesNone(spaces)) return null; // nobody in particular: no token says who
      const subject = subjectOf(spaces, rules);
      const of = rules.secret.current();
      const nowMs = clock.nowMs();
      const known = tokens.get(subject);
      if (known?.of === of && nowMs >= known.fromMs && nowMs < known.fromMs + rules.ttlMs * reusedPart)
        return known.value.reveal();
      const value = headerValue(form.scheme, mint(subject, { rules, of, nowMs }));
      if (!rules.hasId) keep(tokens, subject, { value: new Secret(value), of, fromMs: nowMs });
      return value;
    },
  };
}

/** Some servers take an empty subject for everybody: nothing blank gets a token, and no space that is called like the administrator. */
function subjectOf({ all, ids }: SpaceSet, { adminSubject }: MintRules): string {
  const [space = '', ...more] = ids;
  const isOne = !all && more.length === 0;
  const subject = isOne ? space : adminSubject;
  if (subject === null) throw new Fault('upstream.no-credential', 'more than one space, and no mint.admin_subject');
  if (!/^[!-~]+$/.test(subject) || subject === '*' || (isOne && subject === adminSubject))
    throw new Fault('upstream.no-credential', 'a space that is no subject of a token');
  return subject;
}

function keep(tokens: Map<string, KeptToken>, subject: string, token: KeptToken): void {
  tokens.delete(subject);
  const [oldest] = tokens.size >= keptTokensMax ? tokens.keys() : [];
  if (oldest !== undefined) tokens.delete(oldest);
  tokens.set(subject, token);
}

const keyOf = kept((secret: Secret): KeyObject => createSecretKey(Buffer.from(secret.reveal())));

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** One algorithm, so one head. */
const head = encoded({ alg: 'HS256', typ: 'JWT' });

interface Minting {
  readonly rules: MintRules;
  readonly of: Secret;
  readonly nowMs: number;
}

function mint(subject: string, { rules, of, nowMs }: Minting): string {
  const issuedS = Math.floor(nowMs / 1_000);
  // Copied, not spread: a literal that begins with a spread and goes on has a hidden class of its own for each token.
  const claims = Object.assign({}, rules.claims, {
    sub: subject,
    iat: issuedS,
    exp: issuedS + Math.ceil(rules.ttlMs / 1_000),
    ...(rules.hasId && { jti: randomUUID() }),
  });
  const signed = `${head}.${encoded(claims)}`;
  return `${signed}.${createHmac('sha256', keyOf(of)).update(signed).digest('base64url')}`;
}
