import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { Fault } from '../model/codes.js';
import { StreamPlaces } from './lanes.js';

export interface GrpcUpstreamOptions {
  /** `http://HOST:PORT`. */
  readonly origin: string;
  readonly connectTimeoutMs: number;
  /** Calls with several messages that may be open, in sum and for one subject. */
  readonly streams: number;
  readonly streamsPerSubject: number;
}

/** The connection to the memory server's gRPC port. */
export interface GrpcUpstream {
  readonly streams: Pick<StreamPlaces, 'take'>;
  open(headers: Readonly<Record<string, string>>): ClientHttp2Stream;
  close(): void;
}

export const createGrpcUpstream = (options: GrpcUpstreamOptions): GrpcUpstream => new Sessions(options);

const headerPairsMax = 256;
const ignored = (): void => undefined;

/** One connection, made when it is needed and again when it is gone. Its streams are told by themselves when it breaks. */
class Sessions implements GrpcUpstream {
  readonly streams: StreamPlaces;
  readonly #options: GrpcUpstreamOptions;
  #session: ClientHttp2Session | null = null;

  constructor(options: GrpcUpstreamOptions) {
    this.#options = options;
    this.streams = new StreamPlaces(options.streams, options.streamsPerSubject);
  }

  open(headers: Readonly<Record<string, string>>): ClientHttp2Stream {
    const known = this.#session;
    const session = known === null || known.closed || known.destroyed ? this.#connect() : known;
    return session.request(headers, { endStream: false });
  }

  close(): void {
    this.#session?.destroy();
  }

  #connect(): ClientHttp2Session {
    const session = connect(this.#options.origin, {
      settings: { enablePush: false },
      maxHeaderListPairs: headerPairsMax,
      maxOutstandingPings: 1,
    });
    this.#session = session;
    const timer = setTimeout(() => {
      session.destroy(new Fault('upstream.timeout', 'no connection within upstream.connect_timeout_ms'));
    }, this.#options.connectTimeoutMs);
    const settled = (): void => {
      clearTimeout(timer);
    };
    session
      .on('connect', settled)
      .on('close', settled)
      .on('goaway', () => {
        if (this.#session === session) this.#session = null; // what it has begun may end there; the next call goes elsewhere
      })
      .on('error', ignored); // each of its streams is told, and nobody else waits for it
    return session;
  }
}
