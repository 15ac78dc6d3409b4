// Bare forwarding: our listener and our forward room with nothing between them. What a request costs before anything is decided.
import { systemClock } from '../dist/base/clock.js';
import { createForward, createUpstream } from '../dist/forward/forward.js';
import { listen } from '../dist/gateway/gateway.js';
import { hopByHop } from '../dist/model/hop-by-hop.js';
import { Observed } from '../dist/model/proofs.js';
import { CleanRequest } from '../dist/model/request.js';

const [port, upstreamPort] = process.argv.slice(2).map(Number);
const bytesMax = 67_108_864;
const silent = () => undefined;
const say = (...parts) => process.stderr.write(`${parts.map((part) => String(part?.stack ?? part)).join(' ')}\n`);
const log = { debug: silent, info: silent, warn: say, error: say };
const meter = new Proxy({}, { get: () => silent });

const upstream = createUpstream(
  {
    origin: `http://127.0.0.1:${upstreamPort}`,
    connections: 256,
    queue: 1_024,
    streamConnections: 256,
    streamsPerSubject: 256,
    connectTimeoutMs: 2_000,
    headersTimeoutMs: 30_000,
  },
  { log, meter, clock: systemClock },
);
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

const limits = {
  timeoutMs: 30_000,
  minBytesPerSecond: 64,
  budget: { held: 0, max: bytesMax },
  monotonicMs: systemClock.monotonicMs,
};

/** Not the gate: it reads no more than forwarding needs, and refuses nothing. For a benchmark on loopback only. */
function passed(raw) {
  const headers = [];
  let host = '';
  for (let i = 0; i < raw.rawHeaders.length; i += 2) {
    const [name, value] = [raw.rawHeaders[i], raw.rawHeaders[i + 1]];
    const key = name.toLowerCase();
    if (key === 'host') host = value;
    else if (key !== 'content-length' && !hopByHop.has(key)) headers.push({ name, key, value });
  }
  const at = raw.target.indexOf('?');
  const path = at < 0 ? raw.target : raw.target.slice(0, at);
  const query = at < 0 ? [] : [{ raw: raw.target.slice(at + 1), name: '', value: '' }];
  const facts = { ...raw, path, query, headers, host, clientAddress: raw.peerAddress };
  return CleanRequest.passed({ ...facts, clientRequestId: null, userAgent: null, expectsContinue: false });
}

await listen(
  {
    host: '127.0.0.1',
    port,
    maxConnections: 8_000,
    maxConnectionsPerAddress: 8_000,
    headersTimeoutMs: 10_000,
    keepAliveTimeoutMs: 75_000,
    answerStallTimeoutMs: 60_000,
  },
  {
    clock: systemClock,
    meter,
    handle: (raw, response) => forward(Observed.recorded(passed(raw), null), { response, ownHeaders: [] }),
    malformed: silent,
    bug: say,
    bodyLimits: () => limits,
  },
);
