// Forwarding and nothing else, with Fastify's proxy.
import { createRequire } from 'node:module';

const { NODE_PEERS, PORT, UPSTREAM } = process.env;
const load = createRequire(`${NODE_PEERS}/package.json`);
const app = load('fastify')({ logger: false, keepAliveTimeout: 600_000 });
await app.register(load('@fastify/http-proxy'), {
  upstream: `http://127.0.0.1:${UPSTREAM}`,
  undici: { connections: 256, pipelining: 1, keepAliveTimeout: 60_000 },
});
await app.listen({ port: Number(PORT), host: '127.0.0.1' });
