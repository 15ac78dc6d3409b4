import { constants, createServer, type Http2Server, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2';
import { normalAddress } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import { newDecisionId } from '../base/ids.js';
import { openPort } from '../base/open-port.js';
import { statusOf, type InspectBudget, type Shed } from '../gateway/gateway.js';
import { refuse, type RefusalCode } from '../model/codes.js';
import type { Meter } from '../model/meter.js';
import type { Place, Share } from '../model/place.js';
import { refusalTrailers, StreamAnswer } from './answer.js';
import { FirstMessage } from './body.js';
import { Connections, type ConnectionLimits } from './connections.js';
import type { IncomingCall } from './handle.js';
import { toRaw } from './head.js';
import { Messages } from './messages.js';

export interface CallListenOptions extends ConnectionLimits {
  readonly host: string;
  readonly port: number;
  readonly maxConnections: number;
  readonly maxCallsPerConnection: number;
  /** How long a connection without a call lives. */
  readonly idleTimeoutMs: number;
}

export interface CallListenPorts {
  readonly clock: Clock;
  readonly meter: Meter;
  /** A place for the next call, or why there is none. Asked before anything of it is read. */
  readonly enter: (share: Share) => Place | RefusalCode;
  readonly shed: (facts: Shed) => void;
  /** Answers one call; settles when it is over. */
  readonly handle: (call: IncomingCall) => Promise<void>;
  /** Bytes that never became a call. */
  readonly malformed: (facts: { id: string; address: string; code: RefusalCode }) => void;
  readonly bug: (thrown: unknown) => void;
  /** Read for each call: reload may change them. */
  readonly messageLimits: () => { readonly maxBytes: number; readonly timeoutMs: number };
  readonly budget: InspectBudget;
}

export interface CallListener {
  readonly host: string;
  readonly port: number;
  openConnections(): number;
  /** Takes no more connections, lets running calls end, cuts what is left after `drainMs`. */
  close(drainMs: number): Promise<void>;
}

/**
 * Well above the gate's own bounds, so that a head which is too large is refused by the gate, and leaves a record. What is over these gets
 * ENHANCE_YOUR_CALM from the library, which tells nobody.
 */
const headerListBytesMax = 61_440;
const headerPairsMax = 1_000;
const invalidFramesMax = 100;
const rejectedStreamsMax = 100;
const settingsMax = 16;
const pingsMax = 10;
const ignored = (): void => undefined;

/** Opens a listener for gRPC: HTTP/2 without TLS, by prior knowledge. */
export function listenForCalls(options: CallListenOptions, ports: CallListenPorts): Promise<CallListener> {
  return new CallDoor(options, ports).open(options);
}

class CallDoor implements CallListener {
  readonly #ports: CallListenPorts;
  readonly #options: CallListenOptions;
  readonly #server: Http2Server;
  readonly #connections: Connections;
  #place = { host: '', port: 0 };

  constructor(options: CallListenOptions, ports: CallListenPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#connections = new Connections(options, ports.meter);
    this.#server = createServer({
      settings: { maxConcurrentStreams: options.maxCallsPerConnection, maxHeaderListSize: headerListBytesMax },
      maxHeaderListPairs: headerPairsMax,
      maxSessionInvalidFrames: invalidFramesMax,
      maxSessionRejectedStreams: rejectedStreamsMax,
      maxSettings: settingsMax,
      maxOutstandingPings: pingsMax,
    });
    this.#server.maxConnections = options.maxConnections;
    this.#server
      .on('session', this.#opened.bind(this))
      .on('stream', (stream: ServerHttp2Stream, ...head: readonly unknown[]) => {
        this.#take(stream, head[2] as readonly string[]); // behind the merged headers and the flags
      })
      .on('sessionError', (_error: Error, session: ServerHttp2Session) => {
        this.#malformed(session);
      })
      .on('drop', () => {
        ports.meter.connectionRefused('total');
      });
  }

  get host(): string {
    return this.#place.host;
  }

  get port(): number {
    return this.#place.port;
  }

  async open({ host, port }: CallListenOptions): Promise<CallListener> {
    this.#place = await openPort(this.#server, { host, port, backlog: 1_024 });
    return this;
  }

  openConnections(): number {
    return this.#connections.size;
  }

  close(drainMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cut = setTimeout(() => {
        for (const session of this.#connections.all()) session.destroy();
      }, drainMs);
      this.#server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      for (const session of this.#connections.all()) session.close();
    });
  }

  #opened(session: ServerHttp2Session): void {
    session.on('error', ignored); // told to sessionError
    this.#connections.opened(session, this.#ports.clock.monotonicMs());
    session.setTimeout(this.#options.idleTimeoutMs, () => {
      session.close(); // calls under way have times of their own
    });
  }

  #take(stream: ServerHttp2Stream, raw: readonly string[]): void {
    const { clock, enter, budget, messageLimits, handle, bug } = this.#ports;
    const { session } = stream;
    stream.on('error', ignored); // its closing tells as much
    stream.on('aborted', () => {
      this.#aborted(session);
    });
    const share = session === undefined ? null : this.#connections.shareOf(session as ServerHttp2Session);
    if (share === null || stream.destroyed) return;
    const answer = new StreamAnswer(stream);
    const place = enter(share);
    if (typeof place === 'string') {
      this.#turnAway(answer, place, stream);
      return;
    }
    const messages = new Messages(stream, { ...messageLimits(), budget });
    const body = new FirstMessage(messages);
    const call = { raw: toRaw({ raw, address: addressOf(stream) }, { body, place }, clock), body, messages, answer };
    handle(call)
      .catch((thrown: unknown) => {
        bug(thrown); // the path ends in an outcome whatever happens; if it does not, nobody may be left hanging
        stream.close(constants.NGHTTP2_INTERNAL_ERROR);
      })
      .finally(() => {
        place.leave();
        messages.release();
      })
      .catch(bug);
  }

  #turnAway(answer: StreamAnswer, code: RefusalCode, stream: ServerHttp2Stream): void {
    const { clock, shed } = this.#ports;
    const id = newDecisionId(clock.nowMs());
    shed({ id, address: normalAddress(addressOf(stream)), code, method: 'POST', status: statusOf(code) });
    answer.end(refusalTrailers(refuse(code, '')), ['x-request-id', id]);
  }

  /** Beginning calls and breaking them off at once costs a client nothing, and us a decision each. */
  #aborted(session: ServerHttp2Stream['session']): void {
    if (session === undefined || session.destroyed) return;
    if (this.#connections.mayReset(session as ServerHttp2Session, this.#ports.clock.monotonicMs())) return;
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    this.#malformed(session as ServerHttp2Session);
    session.destroy();
  }

  #malformed(session: ServerHttp2Session): void {
    const { clock, malformed } = this.#ports;
    const address = session.destroyed ? undefined : session.socket.remoteAddress;
    malformed({ id: newDecisionId(clock.nowMs()), address: normalAddress(address), code: 'gate.malformed' });
  }
}

const addressOf = ({ session }: ServerHttp2Stream): string | undefined =>
  session === undefined || session.destroyed ? undefined : session.socket.remoteAddress;
