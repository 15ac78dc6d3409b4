import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { normalAddress } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import { newDecisionId } from '../base/ids.js';
import type { RefusalCode } from '../model/codes.js';
import type { Meter } from '../model/meter.js';
import type { RawRequest } from '../model/request.js';
import { IncomingBody, type BodyLimits } from './body.js';
import { clientErrorCode, endWith, statusLines } from './client-error.js';
import { OpenSockets } from './open-sockets.js';

export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
}

export interface ListenPorts {
  readonly clock: Clock;
  readonly meter: Meter;
  /** Answers one request; settles when the exchange is over. */
  readonly handle: (raw: RawRequest, response: ServerResponse) => Promise<void>;
  /** Bytes that never became a request. */
  readonly malformed: (facts: { id: string; address: string; code: RefusalCode }) => void;
  /** Told of what should be impossible. */
  readonly bug: (thrown: unknown) => void;
  /** Read per request: reload may change it. */
  readonly bodyLimits: () => Omit<BodyLimits, 'monotonicMs'>;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  openConnections(): number;
  inProgress(): number;
  /** Takes no more connections, lets running requests end, cuts what is left after `drainMs`. */
  close(drainMs: number): Promise<void>;
}

const headBytesMax = 16_384;
const requestsPerSocketMax = 10_000;

/** Settings of the parser and their reasons: docs/explanation/life-of-a-request.md. */
function newServer(options: ListenOptions): Server {
  const server = createServer({
    maxHeaderSize: headBytesMax,
    headersTimeout: options.headersTimeoutMs,
    requestTimeout: 0, // one for all routes would cut long uploads: deadlines and rates are ours
    connectionsCheckingInterval: Math.min(1_000, options.headersTimeoutMs),
    keepAliveTimeout: options.keepAliveTimeoutMs,
    requireHostHeader: false, // the gate refuses, so that the refusal is recorded
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    rejectNonStandardBodyWrites: false,
    noDelay: true,
  });
  server.maxHeadersCount = 0; // Node 20 drops surplus lines silently; the gate counts and refuses
  server.maxConnections = options.maxConnections;
  server.maxRequestsPerSocket = requestsPerSocketMax;
  return server;
}

/** Opens a listener that turns every request, and every kind of not-quite request, into one call of `handle`. */
export function listen(options: ListenOptions, ports: ListenPorts): Promise<Listener> {
  const server = newServer(options);
  const sockets = new OpenSockets(options.maxConnectionsPerAddress, ports.meter);
  let inProgress = 0;
  let isDraining = false;

  const take = (request: IncomingMessage, response: ServerResponse): void => {
    inProgress += 1;
    sockets.began(request.socket);
    if (isDraining) response.setHeader('Connection', 'close');
    request.on('error', () => undefined); // told to whoever reads the body; nobody else needs it
    response.on('error', () => undefined);
    const body = new IncomingBody(request, response, {
      ...ports.bodyLimits(),
      monotonicMs: ports.clock.monotonicMs,
      awaitsContinue: request.headers.expect !== undefined,
    });
    response.on('close', () => {
      inProgress -= 1;
      sockets.ended(request.socket);
      body.release();
    });
    ports.handle(toRaw(request, body, ports.clock), response).catch((thrown: unknown) => {
      ports.bug(thrown); // the path ends in an outcome whatever happens; if it does not, nobody may be left hanging
      response.destroy();
    });
  };

  server.on('connection', (socket: Socket) => {
    sockets.opened(socket);
  });
  server.on('drop', () => {
    ports.meter.connectionRefused('total');
  });
  server.on('request', take);
  server.on('checkContinue', take); // 100 is sent when the body is first read
  server.on('checkExpectation', take); // the gate answers 417
  server.on('connect', (request: IncomingMessage, socket: Duplex) => {
    ports.malformed({
      id: newDecisionId(ports.clock.nowMs()),
      address: normalAddress(request.socket.remoteAddress),
      code: 'gate.method',
    });
    endWith(socket, '405 Method Not Allowed');
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const code = clientErrorCode(error.code);
    if (code === null || !socket.writable) {
      socket.destroy();
      return;
    }
    // A request under way learns of it by the end of its body, and records its own refusal.
    if (sockets.running(socket) === 0)
      ports.malformed({ id: newDecisionId(ports.clock.nowMs()), address: normalAddress(socket.remoteAddress), code });
    endWith(socket, statusLines[code] ?? '400 Bad Request');
  });

  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: options.host, port: options.port, backlog: 1_024 }, () => {
      server.off('error', reject);
      const address = server.address();
      resolve({
        host: options.host,
        port: typeof address === 'object' && address !== null ? address.port : options.port,
        openConnections: () => sockets.size,
        inProgress: () => inProgress,
        close: (drainMs) => {
          isDraining = true;
          return closeServer(server, sockets, drainMs);
        },
      });
    });
  });
}

const toRaw = (request: IncomingMessage, body: IncomingBody, clock: Clock): RawRequest => {
  const receivedAtMs = clock.nowMs();
  return {
    id: newDecisionId(receivedAtMs),
    receivedAtMs,
    startedMs: clock.monotonicMs(),
    method: request.method ?? '',
    target: request.url ?? '',
    httpVersion: request.httpVersion,
    rawHeaders: request.rawHeaders,
    peerAddress: normalAddress(request.socket.remoteAddress),
    upgrade: false,
    body,
  };
};

function closeServer(server: Server, sockets: OpenSockets, drainMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      for (const socket of sockets.all()) socket.destroy();
    }, drainMs);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
    server.closeIdleConnections();
  });
}
