import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import { faults, refusals } from '../../../src/model/codes.js';
import { permissions } from '../../../src/model/permissions.js';
import type { AuditRecord } from './audit.js';
import { root } from './build.js';
import { keyNames } from './keys.js';
import type { Program } from './program.js';
import type { RecordedRequest, RecorderMark } from './recorder.js';
import { send, type Answer, type Exchange } from './wire.js';

/** Where everything stood when a case began. */
export interface Before {
  readonly audit: number;
  readonly recorder: RecorderMark;
  readonly rss: number;
  readonly stderr: number;
  readonly labels: ReadonlySet<string>;
}

/** What a case may say about itself. Each is a reason why an invariant is checked otherwise, never a way around it. */
export interface Allowances {
  /** Keys are hashed: 64 MiB instead of 32. */
  readonly hashes?: boolean;
  /** The case is about memory itself and says how much it may take, in MiB. */
  readonly memoryMib?: number;
  /** The configured upstream credential, which may (and must) be at the recorder; the form of it and its secrets, where it is not one for all. */
  readonly credential?: {
    readonly header: string;
    readonly value: string | RegExp;
    readonly secrets?: readonly string[];
  };
  /** Requests whose connection ended without an answer, or whose answers the case did not take through `send`. */
  readonly untracked?: boolean;
  /** The case puts its own key where nobody looks for one: it may then pass as any other text. */
  readonly tellsItsOwnKey?: boolean;
  /** The readiness probe was asked: its own request reaches the upstream without a decision. */
  readonly probes?: boolean;
  /** The program was killed: requests without an outcome may stand in the next start's recovery record. */
  readonly killed?: boolean;
  /** The configuration is one in which GOOD does not pass (observe, another profile, no upstream): the case tells what does. */
  readonly good?: string | null;
  /** Ids of the routes of the case's own profile, where it has one. */
  readonly routes?: RegExp;
}

const mib = 1_048_576;
const rssGrowthMax = 32 * mib;
const rssGrowthHashingMax = 64 * mib;
// A reload compiles its policy aside and tries it before it takes effect: two generations, and what trying leaves to the collector.
const rssReloadMax = 64 * mib;
const goodMsMax = 1_000;
const outcomeWaitMs = 2_000;
/** What the readiness probe asks the upstream of this profile. */
const probeTarget = '/health/alive';
const hopByHop = [
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'upgrade',
  'http2-settings',
  'expect',
];
const exactlyOne = ['host', 'x-request-id', 'x-auth-subject', 'x-auth-spaces'];
const atMostOne = ['x-auth-key-id', 'x-memory-space', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'];
const neverForwarded = ['x-memory-space-id', 'x-engram-memory-space', 'x-api-key', 'cookie2'];

/** GET recall as KA in alpha. */
export const good = (program: Program): string =>
  `GET /api/v1/memories/recall?q=x HTTP/1.1\r\nHost: localhost:8080\r\nAuthorization: Bearer ${program.keys.KA.text}\r\nX-Memory-Space: alpha\r\n\r\n`;

export async function before(program: Program): Promise<Before> {
  return {
    labels: labelsOf(await program.metrics()),
    audit: program.audit.mark(),
    recorder: program.recorder.mark(),
    rss: program.rss(),
    stderr: program.stderr.length,
  };
}

/**
 * I1–I9 of the security cases. Sends GOOD last, so that everything the case caused stands before GOOD's own record.
 *
 * @param exchanges what the case sent and got
 */
export async function checkInvariants(
  t: Test,
  program: Program,
  facts: { before: Before; exchanges: readonly Exchange[]; allow: Allowances },
): Promise<void> {
  const { before: from, exchanges, allow } = facts;
  t.equal(program.exit, null, 'I1: the process is alive');
  t.notMatch(
    program.stderr.slice(from.stderr),
    /uncaughtException|unhandledRejection|"msg":"bug"/,
    'I1: no bug was told',
  );
  const since = await goodPasses(t, program, { from, allow });
  await checkForwarded(t, program, { from, since, allow });
  checkRecords(t, since, { exchanges, allow });
  await checkSecrets(t, program, { from, exchanges, allow });
  await checkMemory(t, program, { from, allow });
  checkLabels(t, { earlier: from.labels, now: labelsOf(await program.metrics()), allow });
  const forwarded = program.recorder.begun;
  const answers = exchanges.flatMap((exchange) => exchange.answers);
  t.strictSame(
    answers.flatMap((answer) => errorBodyProblems(answer, forwarded)),
    [],
    'I8: error bodies',
  );
  const requests = forwardedSince(program, { from, allow });
  t.strictSame(
    requests.flatMap((request) => headerProblems(request, allow)),
    [],
    'I9: headers at the upstream',
  );
  t.strictSame(
    program.recorder.broken.slice(from.recorder.broken),
    [],
    'I9: the upstream got nothing but strict HTTP/1.1',
  );
}

interface Span {
  readonly from: Before;
  readonly allow: Allowances;
}

/** Requests of clients. */
const forwardedSince = (program: Program, { from, allow }: Span): readonly RecordedRequest[] =>
  program.recorder
    .requestsSince(from.recorder)
    .filter(({ id, target }) => allow.probes !== true || id !== '' || target !== probeTarget);

/** I6. @returns the records of the case, all of them: the log is in order, and GOOD's own record is on disk behind them */
async function goodPasses(t: Test, program: Program, { from, allow }: Span): Promise<readonly AuditRecord[]> {
  if (allow.good === null) return program.audit.since(from.audit);
  const startedMs = performance.now();
  const { answers } = await send(program.port, allow.good ?? good(program), { timeoutMs: 3_000 });
  const tookMs = performance.now() - startedMs;
  t.equal(answers[0]?.status, 200, 'I6: GOOD passes on a new connection');
  t.ok(tookMs <= goodMsMax, `I6: within 1 s (${Math.round(tookMs)} ms)`);
  const id = answers[0]?.header('x-request-id') ?? '';
  const last = await program.audit.find(from.audit, (record) => record.id === id && record.effect !== undefined);
  return program.audit.since(from.audit).filter(({ seq }) => seq < last.seq);
}

interface SpanRecords extends Span {
  readonly since: readonly AuditRecord[];
}

/** I2 */
async function checkForwarded(t: Test, program: Program, { from, since, allow }: SpanRecords): Promise<void> {
  const forwarded = forwardedSince(program, { from, allow });
  const ids = forwarded.map(({ id }) => id);
  t.strictSame(
    ids.filter((id, at) => id === '' || ids.indexOf(id) !== at),
    [],
    'I2: each upstream request has an id of its own',
  );
  t.strictSame(
    forwarded.filter(({ wasRecorded }) => wasRecorded === false).map(({ id }) => id),
    [],
    'I2: its allow record was on disk before it',
  );
  const reached = program.recorder.begun;
  const recovered = new Set(
    program.audit
      .records()
      .filter(({ type }) => type === 'system.recovered')
      .flatMap(({ unfinished }) => unfinished as string[]),
  );
  const lost = (): readonly AuditRecord[] =>
    since
      .filter(({ effect, id = '' }) => effect === 'allow' && !reached.has(id))
      .filter(
        ({ id }) =>
          !program.audit.since(from.audit).some((record) => record.id === id && record['not_forwarded'] != null),
      )
      .filter(
        ({ id = '', route }) => !String(route).startsWith('admin.') && !(allow.killed === true && recovered.has(id)),
      );
  await program.audit.until(() => (lost().length === 0 ? true : undefined), outcomeWaitMs); // outcomes are not waited for
  t.strictSame(
    lost().map(({ id }) => id),
    [],
    'I2: every allow record has a request, or an outcome that says why not',
  );
}

/** I3 */
function checkRecords(
  t: Test,
  since: readonly AuditRecord[],
  { exchanges, allow }: { exchanges: readonly Exchange[]; allow: Allowances },
): void {
  const decisions = since.filter(({ effect }) => effect !== undefined);
  const counts = new Map<string, number>();
  for (const { id = '' } of decisions) counts.set(id, (counts.get(id) ?? 0) + 1);
  const folded = since
    .filter(({ type }) => type === 'security.refusals-folded')
    .reduce((sum, { count }) => sum + Number(count), 0);
  t.strictSame(
    [...counts].filter(([, count]) => count > 1),
    [],
    'I3: no request has two decision records',
  );
  const answers = exchanges.flatMap((exchange) => exchange.answers);
  const unnamed = answers.filter((answer) => answer.header('x-request-id') === undefined);
  t.equal(unnamed.length, 0, 'I3: every answer names its request');
  const missing = answers.filter((answer) => !counts.has(answer.header('x-request-id') ?? ''));
  t.ok(
    missing.length <= folded,
    `I3: every answer has a decision record (${missing.length} have none, ${folded} folded)`,
  );
  if (allow.untracked !== true)
    t.equal(decisions.length + folded, answers.length, 'I3: and there is no other decision record');
}

/** I4 */
async function checkSecrets(
  t: Test,
  program: Program,
  { from, exchanges, allow }: Span & { exchanges: readonly Exchange[] },
): Promise<void> {
  const secrets = [...keyNames.map((name) => program.keys[name].secret), program.keys.ST];
  const refusalsText = exchanges
    .flatMap(({ answers }) => answers)
    .filter(({ status }) => status >= 400)
    .map(({ body, headers }) => `${JSON.stringify(headers)}${body.toString('latin1')}`);
  const places: Readonly<Record<string, string>> = {
    'the process log': program.stderr.slice(from.stderr),
    'the audit log': program.audit.textSince(from.audit),
    metrics: await program.metrics(),
    'error answers': refusalsText.join('\n'),
  };
  for (const [place, text] of Object.entries(places)) {
    t.notOk(
      secrets.some((secret) => text.includes(secret)),
      `I4: no secret in ${place}`,
    );
    const { value = '', secrets: ofUpstream = [] } = allow.credential ?? {};
    for (const secret of typeof value === 'string' && value !== '' ? [value, ...ofUpstream] : ofUpstream)
      t.notOk(text.includes(secret), `I4: no upstream credential in ${place}`);
  }
  if (allow.tellsItsOwnKey === true) return;
  const seen = program.recorder.bytesSince(from.recorder).toString('latin1');
  t.notOk(
    secrets.some((secret) => seen.includes(secret)),
    'I4: no secret at the recorder',
  );
}

/** I5. Memory that the collector has not come to yet gets a moment. */
async function checkMemory(t: Test, program: Program, { from, allow }: Span): Promise<void> {
  const usual = allow.hashes === true ? rssGrowthHashingMax : rssGrowthMax;
  const isReloaded = program.audit.since(from.audit).some(({ type }) => type.startsWith('config.re'));
  const most =
    from.rss + (allow.memoryMib === undefined ? usual : allow.memoryMib * mib) + (isReloaded ? rssReloadMax : 0);
  for (let tries = 0; tries < 20 && program.rss() > most; tries += 1) await sleep(50);
  const grownMib = Math.round((program.rss() - from.rss) / mib);
  t.ok(program.rss() <= most, `I5: memory (${grownMib} MiB more)`);
}

/** `name{label="value"}` pairs without figures. */
function labelsOf(metrics: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const line of metrics.split('\n')) {
    if (line.startsWith('#')) continue;
    for (const [, name = '', value = ''] of line
      .slice(0, line.lastIndexOf(' '))
      .matchAll(/([a-zA-Z_]+)="((?:[^"\\]|\\.)*)"/g))
      found.add(`${name}=${value}`);
  }
  return found;
}

const profiles = join(root, 'config', 'profiles');
const routeIds = readdirSync(profiles).flatMap((file) =>
  [...readFileSync(join(profiles, file), 'utf8').matchAll(/^ +- id: ([a-z0-9_.-]+)/gm)].map(([, id = '']) => id),
);
/** Every value that a label may take; nothing of it comes from a request. */
const vocabulary: Readonly<Record<string, readonly string[] | RegExp>> = {
  method: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'],
  route: [...routeIds, 'none', 'admin.health', 'admin.reload', 'admin.rollback'],
  status: /^(?:0|[1-5]\d\d)$/,
  code: [...Object.keys(refusals), ...Object.keys(faults)],
  result: ['success', 'failure', 'hit', 'verified', 'rejected'],
  reason: [
    'none',
    'absent',
    'many',
    'malformed',
    'unknown',
    'wrong',
    'expired',
    'not_yet',
    'revoked',
    'throttled',
    'busy',
    'address',
    'pipelined',
    'total',
  ],
  operation: ['create', 'rotate', 'revoke'],
  family: ['auth', 'user', 'key', 'memory', 'policy', 'authorization', 'rate_limit', 'config', 'system', 'security'],
  limit: ['tier', 'system'],
  tier: ['free', 'premium', 'pro', 'enterprise', 'unlimited', 'none'],
  port: /^\d{1,5}$/, // of the profile and of upstream.url
  le: /^(?:[0-9.]+|\+Inf)$/,
  quantile: /^[0-9.]+$/,
  kind: /^[a-z_-]{1,32}$/,
  space: /^[a-z_]{1,32}$/, // of the garbage-collected heap: a metric of Node
  type: /^[A-Za-z]{1,32}$/, // of a handle: a metric of Node
};

/** I7 */
function checkLabels(
  t: Test,
  { earlier, now, allow }: { earlier: ReadonlySet<string>; now: ReadonlySet<string>; allow: Allowances },
): void {
  const foreign = [...now].filter((label) => {
    if (earlier.has(label)) return false;
    const equals = label.indexOf('=');
    const known = vocabulary[label.slice(0, equals)];
    const value = label.slice(equals + 1);
    if (label.startsWith('route=') && allow.routes?.test(value) === true) return false;
    return known === undefined || !(known instanceof RegExp ? known.test(value) : known.includes(value));
  });
  t.strictSame(foreign, [], 'I7: no label value from a request');
}

const permissionList = new RegExp(
  `^Missing required permission: (?:${permissions.join('|')})(?:, (?:${permissions.join('|')}))*$`,
);
const memberNames = ['type', 'title', 'status', 'detail', 'instance', 'error', 'missing'];
const rpcMemberNames = [...memberNames, 'mismatch', 'supported'];

/** The facts of a refusal in JSON-RPC form; null for anything else. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- parsed JSON, read as it comes
function rpcFacts(answer: Answer): any {
  const body = answer.header('content-type') === 'application/json' ? answer.json() : null;
  const isRpc = body?.jsonrpc === '2.0' && Number.isInteger(body.error?.code) && 'id' in body;
  return isRpc && body.error.message === body.error.data?.detail ? body.error.data : null;
}

/** I8: what an error says is wholly made of our own words. @returns what is wrong */
function errorBodyProblems(answer: Answer, forwarded: ReadonlySet<string>): readonly string[] {
  const id = answer.header('x-request-id') ?? '';
  if (answer.status < 400) return [];
  const facts = rpcFacts(answer);
  const isOurs = answer.header('content-type') === 'application/problem+json' || facts !== null;
  if (!isOurs) return forwarded.has(id) ? [] : [`a ${answer.status} that is neither ours nor the upstream's`];
  if (answer.body.length === 0 || !answer.isWhole) return []; // to HEAD, or cut
  const body = facts ?? answer.json();
  if (typeof body !== 'object' || body === null) return [`not JSON: ${JSON.stringify(answer.body.toString('latin1'))}`];
  const code = String(body.type).slice('urn:memgate:refusal:'.length);
  const said = sayings.get(code);
  const wanted: Readonly<Record<string, boolean>> = {
    [`type ${String(body.type)}`]: said !== undefined && body.type === `urn:memgate:refusal:${code}`,
    'the status of the code': said?.status === answer.status && body.status === answer.status,
    [`only our own words: ${String(body.detail)}`]: body.detail === said?.say || permissionList.test(body.detail),
    'the decision is named': body.instance === `urn:memgate:decision:${id}`,
    'the object of older clients': body.error?.code === answer.status && body.error?.message === body.detail,
    'nothing else': Object.keys(body).every((name) => (facts === null ? memberNames : rpcMemberNames).includes(name)),
    'no software is named': answer.header('server') === undefined,
  };
  return missing(wanted).map((what) => `${code}: ${what}`);
}

const sayings = new Map<string, { readonly status: number; readonly say: string }>(
  Object.entries({ ...refusals, ...faults }),
);
const missing = (wanted: Readonly<Record<string, boolean>>): string[] =>
  Object.entries(wanted)
    .filter(([, holds]) => !holds)
    .map(([what]) => what);

/** I9. @returns what is wrong */
function headerProblems(request: RecordedRequest, { credential }: Allowances): readonly string[] {
  const names = request.headers.map(([name]) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, '-'));
  const count = (name: string): number => names.filter((each) => each === name).length;
  const authorization = credential?.header === 'authorization' ? credential.value : '';
  const sent = request.values('authorization');
  const isOurs =
    typeof authorization === 'string'
      ? sent.join('\n') === authorization
      : sent.length === 1 && authorization.test(sent[0] ?? '');
  const wanted: Readonly<Record<string, boolean>> = {
    'connection is our own': request.values('connection').every((value) => /^(?:keep-alive|close)$/.test(value)),
    'no credential but the configured one': isOurs,
    'no trailers': request.trailers.length === 0,
    ...Object.fromEntries(hopByHop.map((name) => [`no ${name}`, count(name) === 0])),
    ...Object.fromEntries(exactlyOne.map((name) => [`exactly one ${name}`, count(name) === 1])),
    ...Object.fromEntries(atMostOne.map((name) => [`at most one ${name}`, count(name) <= 1])),
    ...Object.fromEntries(
      neverForwarded.map((name) => [`no ${name}`, count(name) === 0 || name === credential?.header]),
    ),
  };
  return missing(wanted).map((what) => `${request.id}: ${what}`);
}
