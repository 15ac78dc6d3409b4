// Bare forwarding: Node's server and our forward room with nothing between them. What a request costs before anything is decided.
import { createServer } from 'node:http';
import { systemClock } from '../dist/base/clock.js';
import { createForward, createUpstream } from '../dist/forward/forward.js';
import { hopByHop } from '../dist/model/hop-by-hop.js';
import { Observed } from '../dist/model/proofs.js';
import { CleanRequest } from '../dist/model/request.js';

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const silent = () => undefined;
const say = (...parts) => process.stderr.write(`${parts.map((part) => String(part?.stack ?? part)).join(' ')}\n`);

const upstream = createUpstream({
  origin: `http://127.0.0.1:${upstreamPort}`,
  connections: 256,
  queue: 1_024,
  streamConnections: 256,
  streamsPerSubject: 256,
  connectTimeoutMs: 2_000,
  headersTimeoutMs: 30_000,
});
const forward = createForward({
  upstream,
  clock: systemClock,
  request: {
    identity: { requestId: 'X-Request-Id', subject: null, keyId: null, spaces: null },
    credential: null,
    credentials: new Set(),
    untrusted: new Set(['x-request-id']),
  },
  answer: { drop: new Set(), upstreamAuthority: `127.0.0.1:${upstreamPort}`, injectsCredential: false },
  bodyTimeoutMs: 30_000,
  streamIdleTimeoutMs: 3_600_000,
  deadlineMs: 300_000,
});

/** The body of a request as Node gives it. The listener's own has limits and budgets, which are not forwarding. */
class PlainBody {
  received = 0;
  #request;

  constructor(request) {
    const { 'transfer-encoding': encoding, 'content-length': length } = request.headers;
    this.framing = encoding !== undefined ? 'chunked' : length !== undefined ? 'length' : 'none';
    this.length = encoding !== undefined ? null : Number(length ?? 0);
    this.#request = request;
  }

  get isComplete() {
    return this.#request.complete || this.length === 0;
  }

  stream() {
    return this.#request;
  }

  discard() {
    this.#request.resume();
    return Promise.resolve();
  }
}

/** Not the gate: it reads no more than forwarding needs, and refuses nothing. For a benchmark on loopback only. */
function passed(request) {
  const headers = [];
  let host = '';
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    const [name, value] = [request.rawHeaders[i], request.rawHeaders[i + 1]];
    const key = name.toLowerCase();
    if (key === 'host') host = value;
    else if (key !== 'content-length' && !hopByHop.has(key)) headers.push({ name, key, value });
  }
  const at = request.url.indexOf('?');
  const startedMs = systemClock.monotonicMs();
  return CleanRequest.passed({
    id: 'bare',
    receivedAtMs: startedMs,
    startedMs,
    method: request.method,
    path: at < 0 ? request.url : request.url.slice(0, at),
    query: at < 0 ? [] : [{ raw: request.url.slice(at + 1), name: '', value: '' }],
    headers,
    host,
    clientAddress: request.socket.remoteAddress,
    clientRequestId: null,
    userAgent: null,
    expectsContinue: false,
    body: new PlainBody(request),
  });
}

createServer({ requestTimeout: 0, keepAliveTimeout: 75_000 }, (request, response) => {
  request.on('error', silent);
  response.on('error', silent);
  forward(Observed.recorded(passed(request), null), { response, ownHeaders: [] }).catch((fault) => {
    say(fault);
    response.destroy();
  });
}).listen(port, '127.0.0.1', 1_024);

process.once('SIGTERM', () => process.exit(0)); // by itself, so that a profile is written
