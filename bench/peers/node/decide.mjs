// A decision service for auth_request of nginx and forward_auth of Caddy.
import { createServer } from 'node:http';
import { decide, statusOf } from './policy.mjs';

createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
  const { headers } = request;
  const decision = decide({
    method: headers['x-forwarded-method'] ?? request.method,
    url: headers['x-forwarded-uri'] ?? request.url,
    authorization: headers.authorization,
    address: headers['x-forwarded-for'] ?? request.socket.remoteAddress,
  });
  if (decision.allow) response.writeHead(204, decision.headers).end();
  else response.writeHead(statusOf(decision), { 'content-length': 0 }).end();
}).listen(Number(process.env.PORT), '127.0.0.1');
