// The same with Express.
import { Agent } from 'node:http';
import { decide, load, statusOf } from './policy.mjs';

const { PORT, UPSTREAM } = process.env;
const express = load('express');
const metrics = load('prom-client');
const { rateLimit } = load('express-rate-limit');
const { createProxyMiddleware } = load('http-proxy-middleware');
const log = load('pino')();
metrics.collectDefaultMetrics();
const total = new metrics.Counter({
  name: 'requests_total',
  help: 'Requests',
  labelNames: ['method', 'status', 'decision'],
});
const seconds = new metrics.Histogram({ name: 'request_seconds', help: 'Duration', labelNames: ['method', 'status'] });

function record({ method, originalUrl: path, decision = {} }, status, startMs) {
  const duration = performance.now() - startMs;
  const { principal, space, allow, reasons } = decision;
  total.inc({ method, status, decision: allow ? 'allow' : 'deny' });
  seconds.observe({ method, status }, duration / 1_000);
  log.info({ audit: true, method, path, status, principal, space, allow, reasons, duration }, 'request');
}

const app = express();
app.disable('x-powered-by');
app.use((request, response, next) => {
  const startMs = performance.now();
  response.on('finish', () => record(request, response.statusCode, startMs));
  next();
});
app.get('/metrics', async (_request, response) =>
  response.type(metrics.register.contentType).send(await metrics.register.metrics()),
);
app.use(
  rateLimit({
    windowMs: 1_000,
    limit: 200_000,
    keyGenerator: (request) => request.headers.authorization ?? request.socket.remoteAddress,
    validate: false,
  }),
);
app.use((request, response, next) => {
  const { method, originalUrl: url, headers, socket } = request;
  request.decision = decide({ method, url, authorization: headers.authorization, address: socket.remoteAddress });
  const { allow, reasons, headers: identity } = request.decision;
  if (!allow) return response.status(statusOf(request.decision)).json({ error: 'refused', reasons });
  Object.assign(headers, identity);
  next();
});
app.use(
  createProxyMiddleware({
    target: `http://127.0.0.1:${UPSTREAM}`,
    agent: new Agent({ keepAlive: true, maxSockets: 256 }),
  }),
);
app.listen(Number(PORT), '127.0.0.1').keepAliveTimeout = 600_000;
