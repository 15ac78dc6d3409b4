// An afternoon's sidecar, made well: proxy, rate limit, policy, metrics and a JSON line for each request. LOG=buffered writes 8 KiB at a time.
import { decide, load, statusOf } from './policy.mjs';

const { PORT, UPSTREAM, LOG } = process.env;
const metrics = load('prom-client');
const pino = load('pino');
metrics.collectDefaultMetrics();
const total = new metrics.Counter({
  name: 'requests_total',
  help: 'Requests',
  labelNames: ['method', 'status', 'decision'],
});
const seconds = new metrics.Histogram({ name: 'request_seconds', help: 'Duration', labelNames: ['method', 'status'] });

const logger = LOG === 'buffered' ? { stream: pino.destination({ sync: false, minLength: 8_192 }) } : true;
const app = load('fastify')({ logger, disableRequestLogging: true, keepAliveTimeout: 600_000 });

await app.register(load('@fastify/rate-limit'), {
  max: 200_000,
  timeWindow: 1_000,
  keyGenerator: (request) => request.headers.authorization ?? request.ip,
});
app.get('/metrics', async (_request, reply) =>
  reply.type(metrics.register.contentType).send(await metrics.register.metrics()),
);

app.decorateRequest('decision', null);
app.addHook('onResponse', async (request, reply) => {
  const { method, url, decision } = request;
  const status = reply.statusCode;
  const duration = reply.elapsedTime;
  total.inc({ method, status, decision: decision?.allow ? 'allow' : 'deny' });
  seconds.observe({ method, status }, duration / 1_000);
  const { principal, space, allow, reasons } = decision ?? {};
  request.log.info({ audit: true, method, path: url, status, principal, space, allow, reasons, duration }, 'request');
});

await app.register(load('@fastify/http-proxy'), {
  upstream: `http://127.0.0.1:${UPSTREAM}`,
  undici: { connections: 256, pipelining: 1, keepAliveTimeout: 60_000 },
  preHandler: async (request, reply) => {
    const { method, url, headers, ip, raw } = request;
    request.decision = decide({ method, url, authorization: headers.authorization, address: ip });
    const { allow, reasons, headers: identity } = request.decision;
    if (!allow) return reply.code(statusOf(request.decision)).send({ error: 'refused', reasons });
    Object.assign(raw.headers, identity);
  },
});
await app.listen({ port: Number(PORT), host: '127.0.0.1' });
