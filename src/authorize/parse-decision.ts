import { Fault } from '../model/codes.js';
import { auditLevels, limitKeyParts, type Decision, type LimitSpec } from '../model/decision.js';

/** The decision for a request on which the policy has no opinion. */
export const undefinedDecision: Decision = Object.freeze({
  allow: false,
  reasons: Object.freeze(['policy.undefined']),
  missing: Object.freeze([]),
  tier: 'none',
  limits: Object.freeze([]),
  obligations: Object.freeze({ audit: 'warning' }),
});

const reasonForm = /^[a-z][a-z0-9-]*(?:\.[a-z][a-z0-9-]*)+$/;
const permissionForm = /^[A-Za-z][A-Za-z0-9]*$/;
const nameForm = /^[a-z][a-z0-9_-]*$/;
const textMax = 64;
const listMax = 64;
const limitsMax = 16;

const decisionKeys = new Set(['allow', 'reasons', 'missing', 'tier', 'limits', 'obligations']);
const obligationKeys = new Set(['audit', 'headers', 'mask']);
const limitKeys = new Set(['id', 'key', 'algorithm', 'rate', 'per', 'burst', 'cost']);

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads the engine's result set by hand, field by field. Anything but the documented shape is a fault, never an allow.
 *
 * @param results `[{ result: decision }]`, or `[]` when the rule is undefined
 * @throws Fault `policy.failed` for every other shape
 */
export function parseDecision(results: unknown): Decision {
  if (!Array.isArray(results)) throw bad('the result set is not a list');
  if (results.length === 0) return undefinedDecision;
  if (results.length !== 1) throw bad(`there are ${String(results.length)} results, not one`);
  const decision = fields(fields(results[0], 'the result')['result'], 'the decision');
  onlyKeys(decision, decisionKeys, 'the decision');
  const { allow, tier } = decision;
  if (typeof allow !== 'boolean') throw bad('allow is not true or false');
  if (!isText(tier, nameForm)) throw bad('tier is not a name');
  const reasons = texts(decision['reasons'], reasonForm, 'reasons');
  const missing = texts(decision['missing'], permissionForm, 'missing');
  if (allow && (reasons.length > 0 || missing.length > 0))
    throw bad('allow is true although there are reasons against it');
  return {
    allow,
    reasons,
    missing,
    tier,
    limits: limitsOf(decision['limits']),
    obligations: obligationsOf(decision['obligations']),
  };
}

/**
 * The same from the engine's text.
 *
 * @throws Fault `policy.failed`
 */
export const readDecision = (resultText: string): Decision => {
  let results: unknown;
  try {
    results = JSON.parse(resultText);
  } catch (cause) {
    throw new Fault('policy.failed', 'malformed decision: the result set is not JSON', { cause });
  }
  return parseDecision(results);
};

const bad = (detail: string): Fault => new Fault('policy.failed', `malformed decision: ${detail}`);

function fields(value: unknown, what: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(`${what} is not an object`);
  return value as Fields;
}

function onlyKeys(value: Fields, known: ReadonlySet<string>, what: string): void {
  for (const key of Object.keys(value))
    if (!known.has(key)) throw bad(`${what} has a field that this version does not know`);
}

const isText = (value: unknown, form: RegExp): value is string =>
  typeof value === 'string' && value.length <= textMax && form.test(value);

const isPositive = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value) && value > 0;

function texts(value: unknown, form: RegExp, what: string): string[] {
  if (!Array.isArray(value) || value.length > listMax) throw bad(`${what} is not a short list`);
  for (const item of value) if (!isText(item, form)) throw bad(`${what} holds something that is not a code`);
  // Rego's sets come out in hash order.
  return (value as string[]).length > 1 ? [...(value as string[])].sort() : (value as string[]);
}

function limitsOf(value: unknown): LimitSpec[] {
  if (!Array.isArray(value) || value.length > limitsMax) throw bad('limits is not a short list');
  const limits = value.map(limitOf);
  if (new Set(limits.map((limit) => limit.id)).size !== limits.length) throw bad('two limits have one id');
  return limits;
}

function limitOf(value: unknown): LimitSpec {
  const limit = fields(value, 'a limit');
  onlyKeys(limit, limitKeys, 'a limit');
  const { id, algorithm, rate, per, cost } = limit;
  if (!isText(id, nameForm)) throw bad('the id of a limit is not a name');
  if (algorithm !== 'token_bucket' && algorithm !== 'sliding_window') throw bad('a limit has an unknown algorithm');
  if (!isPositive(rate) || !isPositive(per)) throw bad('a limit has a rate or a period that is not above 0');
  if (cost !== 0 && !isPositive(cost)) throw bad('a limit has a cost below 0');
  return { id, key: keyOf(limit['key']), algorithm, rate, per, burst: burstOf(algorithm, limit['burst']), cost };
}

function burstOf(algorithm: LimitSpec['algorithm'], burst: unknown): number | null {
  if (algorithm === 'token_bucket' && isPositive(burst)) return burst;
  if (algorithm === 'sliding_window' && (burst === undefined || burst === null)) return null;
  throw bad('a limit has the wrong burst: a token bucket needs one above 0, a sliding window has none');
}

function keyOf(value: unknown): LimitSpec['key'] {
  const known: readonly unknown[] = limitKeyParts;
  const isKey = Array.isArray(value) && value.length > 0 && new Set(value).size === value.length;
  if (!isKey || !value.every((part) => known.includes(part))) throw bad('a limit counts by something unknown');
  return value as LimitSpec['key'];
}

// Headers and masks are duties of a later version: what cannot be done must not be promised.
function obligationsOf(value: unknown): Decision['obligations'] {
  const duties = fields(value, 'obligations');
  onlyKeys(duties, obligationKeys, 'obligations');
  const audit = auditLevels.find((level) => level === duties['audit']);
  if (audit === undefined) throw bad('obligations.audit is not a level');
  const isEmpty = Object.keys(fields(duties['headers'], 'obligations.headers')).length === 0;
  if (!isEmpty) throw bad('obligations.headers holds a duty that this version does not know');
  const mask = duties['mask'];
  if (!Array.isArray(mask) || mask.length > 0)
    throw bad('obligations.mask holds a duty that this version does not know');
  return { audit };
}
