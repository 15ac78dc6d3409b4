// Forwarding and nothing else, with the package that most people take.
import { Agent, createServer } from 'node:http';
import { createRequire } from 'node:module';

const { NODE_PEERS, PORT, UPSTREAM } = process.env;
const { createProxyServer } = createRequire(`${NODE_PEERS}/package.json`)('http-proxy');
const proxy = createProxyServer({
  target: `http://127.0.0.1:${UPSTREAM}`,
  agent: new Agent({ keepAlive: true, maxSockets: 256 }),
});
proxy.on('error', (_error, _request, response) => response.writeHead?.(502).end());

createServer({ keepAliveTimeout: 600_000 }, (request, response) => proxy.web(request, response)).listen(
  Number(PORT),
  '127.0.0.1',
);
