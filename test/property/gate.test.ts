import type { ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { PassThrough, Readable } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import type { Dispatcher } from 'undici';
import { systemClock } from '../../src/base/clock.js';
import { createForward } from '../../src/forward/forward.js';
import type { UpstreamRequest } from '../../src/forward/port.js';
import { requestHead } from '../../src/forward/request-head.js';
import { createGate, trustHeaders } from '../../src/gate/gate.js';
import type { Decision } from '../../src/model/decision.js';
import { Admission, Identity, Observed, Permit, Receipt, type Target } from '../../src/model/proofs.js';
import type { CleanRequest, RawRequest, RequestBody } from '../../src/model/request.js';
import { anonymous } from '../../src/model/subject.js';
import { createResolve } from '../../src/resolve/resolve.js';
import { loadProfile } from '../../src/resolve/profile.js';
import { readAll } from '../wire/support/strict-reader.js';
import { freePlace } from '../../src/model/place.js';

/*
 * Whatever the gate accepts and forward hands over is written by the upstream client, which throws for what it will not write, and then
 * read by a strict reader: as one request, whole. A second opinion is undici's, which throws for everything that it would refuse to send.
 */

const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? 20_261_121);
const runs = Number(process.env['MEMGATE_TEST_RUNS'] ?? 4_000);
t.comment(`fast-check seed ${seed}`);

// The validation has no door of its own in undici; it is the file that the connections of its pools use.
const UndiciRequest = createRequire(import.meta.url)('undici/lib/core/request.js') as new (
  origin: string,
  options: Omit<Dispatcher.DispatchOptions, 'method'> & { readonly method: string },
  handler: Dispatcher.DispatchHandler,
) => unknown;
const handler: Dispatcher.DispatchHandler = Object.fromEntries(
  ['onConnect', 'onHeaders', 'onData', 'onComplete', 'onError', 'onUpgrade'].map((name) => [name, () => undefined]),
);

const profile = await loadProfile('config/profiles/engram.yaml');
if (!profile.ok) throw new Error('the profile does not load');
const resolve = createResolve({ profile: profile.value, isKnownSpace: () => true, inspectMaxBytes: 1_024 });
const own = ['x-request-id', 'x-auth-subject', 'x-auth-key-id', 'x-auth-spaces'];
const gate = createGate({
  allowedHosts: new Set(),
  isTrustedProxy: () => true,
  protectedHeaders: [...profile.value.dropHeaders, ...own],
});

/** What forward hands to the upstream client for a proof. */
function handedOver(proof: Receipt | Observed): UpstreamRequest {
  const handed: UpstreamRequest[] = [];
  const forward = createForward({
    upstream: {
      send: (request) => {
        handed.push(request);
        return { abort: () => undefined, resume: () => undefined };
      },
      switch: () => ({ abort: () => undefined, resume: () => undefined }),
      stats: () => ({ connected: 0, pending: 0, running: 0 }),
      retire: () => undefined,
      close: () => Promise.resolve(),
    },
    clock: systemClock,
    leases: { take: () => () => undefined, message: () => Promise.reject(new Error('no tunnel')) },
    tunnel: { held: { held: 0, max: 1 }, messageMaxBytes: 1, firstMessageMs: 1 },
    holding: null as never, // no answer is held here
    request: {
      identity: {
        requestId: 'X-Request-Id',
        subject: 'X-Auth-Subject',
        keyId: 'X-Auth-Key-Id',
        spaces: 'X-Auth-Spaces',
      },
      profileHeaders: [],
      credential: { header: 'X-Upstream-Key', valueFor: () => 'upstream secret 0123456789' },
      credentials: new Set(['authorization', 'x-api-key', 'x-upstream-key']),
      untrusted: new Set([...trustHeaders, ...own]),
    },
    answer: { drop: new Set(), upstreamAuthority: '127.0.0.1', injectsCredential: true },
    bodyTimeoutMs: 1_000,
    streamIdleTimeoutMs: 1_000,
    deadlineMs: 1_000,
  });
  const response = Object.assign(new PassThrough(), { headersSent: false }) as unknown as ServerResponse;
  void forward(proof, { response, ownHeaders: [] });
  response.emit('close'); // ends the exchange and its deadline
  if (handed[0] === undefined) throw new Error('forward sent nothing');
  return handed[0];
}

const latin1 = fc.string({
  unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  maxLength: 12,
});
const visible = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 16,
});
const odd = fc.constantFrom(
  '',
  ' ',
  '\t',
  '\r\n',
  '\0',
  'ä',
  '€',
  'chunked',
  'close',
  'keep-alive',
  '100-continue',
  'websocket',
  'h2c',
  '5',
  '0',
  'alpha',
  'h',
  'a, b',
  'application/json',
  '\x7f',
  '\x80\xff',
);
const value = fc.oneof({ weight: 4, arbitrary: visible }, { weight: 2, arbitrary: odd }, latin1);
const known = [
  'Host',
  'Connection',
  'Content-Length',
  'Transfer-Encoding',
  'Keep-Alive',
  'Upgrade',
  'Expect',
  'TE',
  'Trailer',
  'Proxy-Connection',
  'HTTP2-Settings',
  'Authorization',
  'X-API-Key',
  'Content-Type',
  'Content-Encoding',
  'X-Memory-Space',
  'X-Memory-Space-Id',
  'X-Forwarded-For',
  'X-Request-Id',
  'Cookie',
  'User-Agent',
  'Accept',
  'x_note',
  'X-Auth-Subject',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'X-Note',
  "a!#$%&'*+.^`|~",
];
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...known) },
  { weight: 2, arbitrary: fc.stringMatching(/^[A-Za-z0-9-]{1,12}$/) },
  latin1,
);
const line = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.tuple(
      fc.constantFrom('Accept', 'X-Note', 'User-Agent', '__proto__', 'constructor', 'x_note', 'Pragma', 'Via'),
      value,
    ),
  },
  fc.tuple(name, value),
);
const piece = fc.constantFrom(
  '/',
  '?',
  '&',
  '=',
  '%20',
  '%C3%A4',
  '%2e',
  'a',
  '..',
  '[',
  '"',
  '~',
  ' ',
  'ä',
  '\0',
  '\x7f',
  '|',
  '+',
  "'",
  '*',
  ':',
  '@',
  'space=alpha',
  '%',
  '#',
  ';',
  '\\',
);
const target = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      '/api/v1/memories/recall?q=x',
      '/api/v1/memories/remember',
      '/api/v1/memories/abc',
      '/health',
      '/docs/a/b',
      '/api/v1/spaces',
      'http://h/health',
    ),
  },
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom('/', '/docs/', '/api/v1/memories/', '/api/v1/memories/recall?'),
        fc.array(piece, { maxLength: 8 }),
      )
      .map(([start, parts]) => start + parts.join('')),
  },
  latin1.map((text) => `/${text}`),
);
const body = fc.oneof(
  fc.constant(null),
  fc.constant(''),
  fc.constant('{}'),
  fc.constant('{"content":"x","memory_space_id":"alpha"}'),
  latin1,
);
const requests = fc.record({
  method: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('GET', 'POST', 'DELETE', 'HEAD', 'PUT', 'PATCH', 'OPTIONS') },
    latin1,
  ),
  target,
  httpVersion: fc.oneof({ weight: 12, arbitrary: fc.constant('1.1') }, fc.constantFrom('1.0', '2.0', '0.9')),
  host: fc.oneof({ weight: 10, arbitrary: fc.constant('h') }, value),
  lines: fc.array(line, { maxLength: 6 }),
  space: fc.constantFrom('alpha', null, 'beta'),
  framing: fc.constantFrom('length', 'chunked', 'none'),
  body,
  subject: fc.oneof(fc.constant('key'), fc.string({ unit: 'binary', maxLength: 12 }), latin1),
});
type Shape = typeof requests extends fc.Arbitrary<infer One> ? One : never;

const bodyOf = (shape: Shape): RequestBody => {
  const bytes = Buffer.from(shape.body ?? '', 'latin1');
  const framing = shape.body === null ? 'none' : shape.framing;
  return {
    framing: framing,
    length: framing === 'chunked' ? null : bytes.length,
    isComplete: true,
    received: bytes.length,
    collect: () => Promise.resolve({ ok: true, value: bytes }),
    stream: () => Readable.from([bytes]),
    discard: () => Promise.resolve(),
  };
};

function rawOf(shape: Shape): RawRequest {
  const framed =
    shape.body === null || shape.framing === 'none'
      ? []
      : shape.framing === 'chunked'
        ? ['Transfer-Encoding', 'chunked']
        : ['Content-Length', String(shape.body.length)];
  const rawHeaders = [
    'Host',
    shape.host,
    ...(shape.body === null ? [] : ['Content-Type', 'application/json']),
    ...framed,
    ...(shape.space === null ? [] : ['X-Memory-Space', shape.space]),
    ...shape.lines.flat(),
  ];
  const { method, target: at, httpVersion } = shape;
  return {
    id: 'ID',
    receivedAtMs: 0,
    startedMs: 0,
    method,
    target: at,
    httpVersion,
    rawHeaders,
    peerAddress: '127.0.0.1',
    place: freePlace,
    body: bodyOf(shape),
  };
}

const decision: Decision & { readonly allow: true } = {
  allow: true,
  reasons: [],
  missing: [],
  tier: 'free',
  limits: [],
  obligations: { audit: 'info' },
};

async function proofsOf(request: CleanRequest, subjectId: string): Promise<readonly (Receipt | Observed)[]> {
  const head = resolve(request, anonymous);
  const resolved = head.ok ? await head.value.complete() : null;
  const found: Target | null = resolved?.ok === true ? resolved.value : null;
  const proofs: (Receipt | Observed)[] = [Observed.recorded(request, found)];
  if (found === null) return proofs;
  const identity = Identity.verified({ ...anonymous, kind: 'api_key', id: subjectId }, () => null);
  return [...proofs, Receipt.recorded(Admission.admit(Permit.grant(identity, found, { decision, input: '{}' }), null))];
}

/** What goes out, for the strict reader; a body that streams is empty here. */
function written(handed: UpstreamRequest): Buffer {
  const { text, bodyBytes } = requestHead(handed, 'u');
  const { body } = handed;
  if (Buffer.isBuffer(body)) return Buffer.concat([Buffer.from(text, 'latin1'), body]);
  const streamed = bodyBytes === null ? '0\r\n\r\n' : 'x'.repeat(bodyBytes);
  return Buffer.from(`${text}${streamed}`, 'latin1');
}

let accepted = 0;
let admitted = 0;

await t.test('nothing that the client would not write is ever handed to it', async (t) => {
  await fc.assert(
    fc.asyncProperty(requests, async (shape) => {
      const request = gate(rawOf(shape));
      if (!request.ok) return;
      accepted += 1;
      for (const proof of await proofsOf(request.value, shape.subject)) {
        if (proof instanceof Receipt) admitted += 1;
        const handed = handedOver(proof);
        const { method, target: path, headers, body: bytes } = handed;
        new UndiciRequest(
          'http://127.0.0.1:1',
          { path, method, headers: [...headers], body: bytes, bodyTimeout: 1, reset: false },
          handler,
        );
        const { requests: read, wrong } = readAll(written(handed));
        if (wrong !== null || read.length !== 1) throw new Error(`a strict reader would not take it: ${String(wrong)}`);
      }
    }),
    { seed, numRuns: runs },
  );
  t.comment(`${accepted} of ${runs} were accepted, ${admitted} of them admitted`);
  t.ok(accepted > runs / 20, 'enough of them are requests');
  t.ok(admitted > runs / 100, 'enough of them have a route');
});

await t.test('the client writes nothing that has two readings', async (t) => {
  const base = {
    use: { kind: 'request', subject: null },
    target: '/',
    method: 'GET',
    headers: [],
    body: null,
    bodyTimeoutMs: 1,
  } as const;
  const refused: readonly Partial<UpstreamRequest>[] = [
    { target: '/a b' },
    { target: 'a' },
    { target: '/\r\nX: y' },
    { target: '/\u{e9}' },
    { method: 'G T' },
    { method: '' },
    { method: 'CONNECT' },
    { headers: ['Expect', '100-continue'] },
    { headers: ['Transfer-Encoding', 'chunked'] },
    { headers: ['Connection', 'close'] },
    { headers: ['Upgrade', 'x'] },
    { headers: ['keep-alive', '1'] },
    { headers: ['Host', 'a'] },
    { headers: ['a b', 'c'] },
    { headers: ['', 'c'] },
    { headers: ['a', 'b\r\nc: d'] },
    { headers: ['a', 'b\nc'] },
    { headers: ['a', 'b\0'] },
    { headers: ['a', '\u{100}'] },
    { headers: ['Content-Length', 'x'] },
    { headers: ['Content-Length', '1'] },
    { headers: ['Content-Length', '2'], body: Buffer.from('x') },
    { headers: ['Content-Length', '1', 'content-length', '1'], body: Buffer.from('x') },
  ];
  for (const over of refused)
    t.throws(() => requestHead({ ...base, headers: [], ...over }, 'u'), { code: 'self.bug' }, JSON.stringify(over));
  const wanted = 'POST / HTTP/1.1\r\nHost: u\r\nConnection: keep-alive\r\nA: \u{e9}\r\nContent-Length: 0\r\n\r\n';
  t.equal(requestHead({ ...base, method: 'POST', headers: ['A', '\u{e9}'] }, 'u').text, wanted);
});
