import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { normalAddress } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import { newDecisionId } from '../base/ids.js';
import type { RefusalCode } from '../model/codes.js';
import type { Meter } from '../model/meter.js';
import type { RawRequest } from '../model/request.js';
import { IncomingBody, type BodyLimits } from './body.js';
import { clientErrorCode, endWith } from './client-error.js';
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
    const running = { request, response };
    sockets.began(running);
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
      sockets.ended(running);
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
  const refuseSocket = (socket: Socket, code: RefusalCode): (() => void) => {
    const id = newDecisionId(ports.clock.nowMs());
    ports.malformed({ id, address: normalAddress(socket.remoteAddress), code });
    return () => {
      endWith(socket, code, id);
    };
  };
  server.on('connect', (request: IncomingMessage) => {
    refuseSocket(request.socket, 'gate.method')();
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    const code = clientErrorCode(error.code);
    const running = sockets.running(socket);
    const last = running.at(-1);
    if (code === null || !socket.writable) {
      socket.destroy();
    } else if (last === undefined) {
      refuseSocket(socket, code)();
    } else if (last.request.complete) {
      // What follows a complete request is not one: who is under way is answered first.
      last.response.on('close', refuseSocket(socket, code));
    } else if (running.length === 1 && !last.response.headersSent) {
      // Its body is broken: the reader of the body learns of it and records the refusal under the request's own id.
      endWith(socket, code, newDecisionId(ports.clock.nowMs()));
    } else {
      socket.destroy();
    }
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
