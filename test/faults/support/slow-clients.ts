import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import type { Test } from 'tap';
import type { AuditRecord } from './audit.js';
import { recallPath } from './client.js';

/** What `bigTarget` is answered with: far more than the kernel keeps for a connection. */
export const bigBytes = 8 * 1_048_576;
export const bigTarget = recallPath.replace('query=tea', 'query=all');
const opensPerTurn = 20; // a thousand a second
const turnMs = 20;

/** A memory server whose answer to `bigTarget` nobody can take in one go; anything else gets `{"ok":true}`. */
export async function bigServer(t: Test): Promise<string> {
  const sockets = new Set<Socket>();
  const big = Buffer.alloc(bigBytes, 'x');
  const small = Buffer.from('{"ok":true}');
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    let rest = '';
    socket.on('data', (chunk: Buffer) => {
      rest += chunk.toString('latin1');
      for (let end = rest.indexOf('\r\n\r\n'); end >= 0; end = rest.indexOf('\r\n\r\n')) {
        const answer = rest.slice(0, end).includes('query=all') ? big : small;
        rest = rest.slice(end + 4);
        socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${answer.length}\r\n\r\n`);
        socket.write(answer);
      }
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The lines of a request but for the empty one. */
export const headOf = (start: string, key: string): string =>
  `${start} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key}\r\nX-Memory-Space: alpha\r\n`;

/** A connection that says something and then nothing, with the moments of its life. */
export interface Slow {
  readonly socket: Socket;
  readonly fromMs: number;
  /** When the first byte of an answer was there. */
  beganMs: number | null;
  cutMs: number | null;
}

interface SlowOptions {
  readonly gateway: URL;
  readonly count: number;
  readonly bytes: string;
  /** False for one that takes nothing of what comes. */
  readonly reads: boolean;
}

/** Opens connections from many addresses, some at a time. */
export async function openSlow({ gateway, count, bytes, reads }: SlowOptions): Promise<readonly Slow[]> {
  const all: Slow[] = [];
  for (let n = 0; n < count; n += 1) {
    const localAddress = `127.${1 + (n % 8)}.${Math.floor(n / 8) % 250}.1`;
    const socket = connect({ host: gateway.hostname, port: Number(gateway.port), localAddress });
    const slow: Slow = { socket, fromMs: performance.now(), beganMs: null, cutMs: null };
    socket.on('error', () => undefined);
    socket.on('close', () => (slow.cutMs = performance.now()));
    if (reads) socket.resume();
    else socket.once('readable', () => (slow.beganMs = performance.now())); // and is never read from
    socket.write(bytes);
    all.push(slow);
    if (n % opensPerTurn === opensPerTurn - 1) await after(turnMs);
  }
  return all;
}

/** The longest that one of them was open, in ms. */
export const longestMs = (slow: readonly Slow[]): number =>
  Math.round(Math.max(0, ...slow.map(({ cutMs, fromMs }) => (cutMs ?? Infinity) - fromMs)));

/** Of an outcome: how long the client took nothing, or little, of its answer, in ms. Who does not read sees no end. */
export const stalledMs = (outcome: AuditRecord): number =>
  Math.round(Number(outcome['duration_ms']) - Number(outcome['upstream_ms']));
