import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { normalAddress } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import { newDecisionId } from '../base/ids.js';
import { openPort } from '../base/open-port.js';
import type { RefusalCode } from '../model/codes.js';
import type { Meter } from '../model/meter.js';
import type { Place, Share } from '../model/place.js';
import type { RawRequest } from '../model/request.js';
import { IncomingBody, type BodyLimits } from './body.js';
import { upgradeOf } from './client-message.js';
import { clientErrorCode, endWith } from './client-error.js';
import { OpenSockets, type SocketLimits, type Turn } from './open-sockets.js';
import { toRaw } from './raw-request.js';
import { statusOf } from './respond.js';
import { newServer, type ServerSettings } from './server.js';
import { StalledReaders } from './stalled-readers.js';
import { turnAway } from './turn-away.js';
import { RequestTurn } from './turn.js';

export interface ListenOptions extends ServerSettings, SocketLimits {
  readonly host: string;
  readonly port: number;
  /** Longest time in which a client takes nothing of its answer. */
  readonly answerStallTimeoutMs: number;
}

/** A request that was turned away before anything of it was read. */
export interface Shed {
  readonly id: string;
  readonly address: string;
  readonly code: RefusalCode;
  readonly method: string;
  readonly status: number;
}

export interface ListenPorts {
  readonly clock: Clock;
  readonly meter: Meter;
  /** A place for the next request, or why there is none. Asked before anything of it is read. */
  readonly enter: (share: Share) => Place | RefusalCode;
  readonly shed: (facts: Shed) => void;
  /** Answers one request; settles when the exchange is over. */
  readonly handle: (raw: RawRequest, response: ServerResponse) => Promise<void>;
  /** Bytes that never became a request. */
  readonly malformed: (facts: { id: string; address: string; code: RefusalCode }) => void;
  /** Told of what should be impossible. */
  readonly bug: (thrown: unknown) => void;
  /** Read per request: reload may change it. */
  readonly bodyLimits: () => BodyLimits;
}

export interface Listener {
  readonly host: string;
  readonly port: number;
  openConnections(): number;
  inProgress(): number;
  /** Takes no more connections, lets running requests end, cuts what is left after `drainMs`. */
  close(drainMs: number): Promise<void>;
}

/** While draining, how long a connection on which nothing was said may still say something, in ms. */
const quietMs = 1_000;
const stallCheckMs = 250;

/** Opens a listener that turns every request, and every kind of not-quite request, into one call of `handle`. */
export function listen(options: ListenOptions, ports: ListenPorts): Promise<Listener> {
  const door = new Door(options, ports);
  return door.open(options);
}

class Door implements Listener {
  readonly #ports: ListenPorts;
  readonly #server: Server;
  readonly #sockets: OpenSockets;
  #place: { host: string; port: number } = { host: '', port: 0 };
  readonly #stallWatch: NodeJS.Timeout;
  #inProgress = 0;
  #isDraining = false;

  constructor(options: ListenOptions, ports: ListenPorts) {
    this.#ports = ports;
    this.#server = newServer(options);
    this.#sockets = new OpenSockets(options, ports.meter);
    const stalled = new StalledReaders(options.answerStallTimeoutMs);
    this.#stallWatch = setInterval(
      () => {
        stalled.look(this.#sockets.all(), ports.clock.monotonicMs());
      },
      Math.min(stallCheckMs, options.answerStallTimeoutMs),
    ).unref();
    const take = (request: IncomingMessage, response: ServerResponse): void => {
      this.#sockets.queue(request.socket, new RequestTurn({ request, response }, this.#serve.bind(this)));
    };
    this.#server
      .on('connection', (socket: Socket) => {
        this.#sockets.opened(socket);
      })
      .on('drop', () => {
        ports.meter.connectionRefused('total');
      })
      .on('request', take)
      .on('checkContinue', take) // 100 is sent when the body is first read
      .on('checkExpectation', take) // the gate answers 417
      .on('connect', ({ socket }: IncomingMessage) => {
        socket.on('error', () => undefined); // Node listens no more, and an error that nobody hears ends the process
        this.#sockets.queue(socket, this.#noRequest(socket, 'gate.method'));
      })
      .on('upgrade', this.#upgrade.bind(this))
      .on('clientError', this.#notARequest.bind(this));
  }

  get host(): string {
    return this.#place.host;
  }

  get port(): number {
    return this.#place.port;
  }

  async open({ host, port }: ListenOptions): Promise<Listener> {
    this.#place = await openPort(this.#server, { host, port, backlog: 1_024 });
    return this;
  }

  openConnections(): number {
    return this.#sockets.size;
  }

  inProgress(): number {
    return this.#inProgress;
  }

  close(drainMs: number): Promise<void> {
    this.#isDraining = true;
    return new Promise((resolve) => {
      const cut = setTimeout(() => {
        for (const socket of this.#sockets.all()) socket.destroy();
      }, drainMs);
      const quiet = setTimeout(this.#endQuiet.bind(this), Math.min(quietMs, drainMs));
      this.#server.close(() => {
        clearTimeout(cut);
        clearTimeout(quiet);
        clearInterval(this.#stallWatch);
        resolve();
      });
      this.#server.closeIdleConnections();
    });
  }

  /** Node takes a connection that has said nothing yet for a busy one. */
  #endQuiet(): void {
    for (const socket of this.#sockets.all()) if (this.#sockets.isQuiet(socket)) socket.destroySoon();
  }

  #serve(turn: RequestTurn, share: Share): void {
    const { request, response } = turn;
    const { clock, bodyLimits, handle, bug, enter } = this.#ports;
    const place = enter(share);
    this.#inProgress += 1;
    if (this.#isDraining) response.setHeader('Connection', 'close');
    const body = new IncomingBody(request, response, bodyLimits());
    response.on('close', () => {
      this.#inProgress -= 1;
      if (typeof place !== 'string') place.leave();
      body.release();
      this.#sockets.ended(request.socket);
      // Its head may have gone out before the draining began, with a promise to keep the connection.
      if (this.#isDraining && this.#sockets.isQuiet(request.socket)) request.socket.destroySoon();
    });
    if (typeof place === 'string') {
      this.#turnAway(turn, place, body);
      return;
    }
    const raw = toRaw(request, { body, place, upgrade: turn.upgrade }, clock);
    turn.id = raw.id;
    handle(raw, response).catch((thrown: unknown) => {
      bug(thrown); // the path ends in an outcome whatever happens; if it does not, nobody may be left hanging
      response.destroy();
    });
  }

  /** Whoever asks before the answer to its last request is here wants two things to be read from the same bytes. */
  #upgrade(request: IncomingMessage, _: Duplex, surplus: Buffer): void {
    const { socket } = request;
    socket.on('error', () => undefined); // as above
    const isNext = this.#sockets.isQuiet(socket);
    const turn = isNext ? new RequestTurn(upgradeOf(request, surplus), this.#serve.bind(this)) : null;
    this.#sockets.queue(socket, turn ?? this.#noRequest(socket, 'gate.upgrade'));
  }

  #turnAway(turn: RequestTurn, code: RefusalCode, body: IncomingBody): void {
    const { clock, shed, bug } = this.#ports;
    const { socket, method = '' } = turn.request;
    turn.id = newDecisionId(clock.nowMs());
    shed({ id: turn.id, address: normalAddress(socket.remoteAddress), code, method, status: statusOf(code) });
    turnAway(turn, code, body).catch(bug);
  }

  #notARequest(error: NodeJS.ErrnoException, socket: Socket): void {
    const code = clientErrorCode(error.code);
    const current = this.#sockets.current(socket);
    if (code === null || !socket.writable) {
      socket.destroy();
    } else if (!(current instanceof RequestTurn) || current.request.complete || this.#sockets.isWaiting(socket)) {
      this.#sockets.queueBroken(socket, this.#noRequest(socket, code)); // who is under way is answered first
    } else if (current.response.headersSent) {
      socket.destroy();
    } else {
      endWith(socket, code, current.id); // the reader of its body learns of it and records the refusal
    }
  }

  /** Bytes that are no request: recorded and answered when it is their turn. */
  #noRequest(socket: Socket, code: RefusalCode): Turn {
    const begin = (): void => {
      const id = newDecisionId(this.#ports.clock.nowMs());
      this.#ports.malformed({ id, address: normalAddress(socket.remoteAddress), code });
      endWith(socket, code, id);
    };
    return { request: null, begin };
  }
}
