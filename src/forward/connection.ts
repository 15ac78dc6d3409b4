import { connect, type Socket } from 'node:net';
import { Readable } from 'node:stream';
import { Fault } from '../model/codes.js';
import type { Call, Carrier } from './call.js';
import type { Pieces } from './pieces.js';
import { ResponseReader } from './response-reader.js';
import type { Ticks } from './ticks.js';
import { Upload } from './upload.js';

export interface ConnectionFacts {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly ticks: Ticks;
  /** Where all connections read: what is in it is taken before the next one reads. */
  readonly readBuffer: Buffer;
  readonly pieces: Pieces;
  readonly owner: ConnectionOwner;
}

export interface ConnectionOwner {
  /** It may carry a request now. */
  free(connection: Connection): void;
  gone(connection: Connection): void;
  unconnected(fault: Fault): void;
}

const restMsMax = 4_000;
const requestsMax = 10_000;
const keepAliveProbeMs = 60_000;
/** A body up to here is copied behind its head, so that both go out as one. */
const copiedBodyBytesMax = 16_384;

type Phase = 'connecting' | 'resting' | 'asked' | 'answering' | 'closed';

/** One connection, one request at a time. In any doubt it is closed: what it says when nobody asked is never an answer. */
export class Connection implements Carrier {
  readonly #facts: ConnectionFacts;
  readonly #socket: Socket;
  #phase: Phase = 'connecting';
  #deadline: number;
  #call: Call | null = null;
  #reader: ResponseReader | null = null;
  #upload: Upload | null = null;
  #isPaused = false;
  #requests = 0;

  constructor(facts: ConnectionFacts) {
    const { host, port, readBuffer, ticks, connectTimeoutMs } = facts;
    this.#facts = facts;
    this.#deadline = ticks.after(connectTimeoutMs);
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveProbeMs,
      onread: { buffer: readBuffer, callback: (bytes) => this.#onRead(readBuffer.subarray(0, bytes)) },
    });
    this.#socket
      .on('connect', this.#onConnect)
      .on('end', this.#onEnd)
      .on('error', this.#onError)
      .on('close', this.#onClose);
  }

  /** Sends a request, or nothing when nobody wants it any more: then the connection is as it was. */
  carry(call: Call): void {
    if (!call.begin(this)) {
      if (this.#phase === 'resting') this.#facts.owner.free(this);
      return;
    }
    this.#phase = 'asked';
    this.#call = call;
    this.#reader = new ResponseReader(call.request.method, call);
    this.#requests += 1;
    this.#wait(this.#facts.headersTimeoutMs);
    this.#write(call);
  }

  drop(call: Call): void {
    if (call === this.#call) this.close();
  }

  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    const call = this.#call;
    if (!this.#isPaused || call === null) return;
    this.#isPaused = false;
    this.#wait(call.request.bodyTimeoutMs);
    this.#socket.resume();
  }

  /** Looks whether a time is over. */
  look(): void {
    if (this.#facts.ticks.now < this.#deadline) return;
    const { connectTimeoutMs, headersTimeoutMs } = this.#facts;
    if (this.#phase === 'connecting') this.#unconnected(late(`no connection within ${String(connectTimeoutMs)} ms`));
    else if (this.#phase === 'resting') this.close();
    else if (this.#phase === 'asked' && this.#upload?.isWaitingForClient !== true)
      this.#call?.fail(late(`no head of an answer within ${String(headersTimeoutMs)} ms`));
    else if (this.#phase === 'answering' && !this.#isPaused)
      this.#call?.fail(late(`silent within its answer for ${String(this.#call.request.bodyTimeoutMs)} ms`));
  }

  /** Tells its call nothing. */
  close(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#forget();
    this.#socket.destroy();
    this.#facts.owner.gone(this);
  }

  /** Tells its call why. */
  end(fault: Fault): void {
    // One that ends before it carried anything was a vain attempt: tried again for the same call, there might be no end of it.
    if (this.#phase === 'connecting' || (this.#phase === 'resting' && this.#requests === 0)) this.#unconnected(fault);
    else if (this.#call !== null) this.#call.fail(fault);
    else this.close();
  }

  #write(call: Call): void {
    const socket = this.#socket;
    const { body } = call.request;
    const { text, bodyBytes: bytes } = call.requestHead;
    if (body instanceof Readable) {
      socket.write(text, 'latin1');
      const failed = call.fail.bind(call);
      this.#upload = new Upload({ socket, source: body, bytes, moved: this.#onMoved, failed });
    } else if (body === null || body.length === 0) socket.write(text, 'latin1');
    else if (body.length <= copiedBodyBytesMax) {
      const whole = Buffer.allocUnsafe(text.length + body.length);
      whole.write(text, 'latin1');
      body.copy(whole, text.length);
      socket.write(whole);
    } else {
      socket.cork();
      socket.write(text, 'latin1');
      socket.write(body);
      socket.uncork();
    }
  }

  #wait(ms: number): void {
    this.#deadline = this.#facts.ticks.after(ms);
  }

  readonly #onMoved = (bytes: number): void => {
    this.#facts.pieces.passed(bytes);
    if (this.#phase === 'asked') this.#wait(this.#facts.headersTimeoutMs);
  };

  readonly #onConnect = (): void => {
    if (this.#phase === 'connecting') this.#rest(restMsMax);
  };

  #onRead(bytes: Buffer): boolean {
    const call = this.#call;
    const reader = this.#reader;
    if (call === null || reader === null) {
      this.end(new Fault('upstream.invalid', 'bytes that nobody asked for'));
      return false;
    }
    try {
      const read = reader.read(bytes);
      this.#facts.pieces.passed(read);
      if (this.#call !== call) return false; // ended by who takes the answer
      if (reader.isDone) this.#answered(call, read === bytes.length ? (reader.head?.restMs ?? 0) : 0);
      else this.#heard(call, reader);
    } catch (thrown) {
      call.fail(thrown);
    }
    return !this.#isPaused;
  }

  #heard(call: Call, reader: ResponseReader): void {
    if (reader.head === null) return; // a head that comes byte by byte has no more time than another
    this.#phase = 'answering';
    this.#wait(call.request.bodyTimeoutMs);
  }

  /** @param restMs 0 when the connection must not be used again */
  #answered(call: Call, restMs: number): void {
    const isWholeRequest = this.#upload?.isDone !== false && this.#socket.writableLength === 0;
    if (isWholeRequest && this.#requests < requestsMax) this.#rest(restMs);
    else this.close();
    call.answered();
  }

  #rest(ms: number): void {
    this.#forget();
    this.#phase = 'resting';
    this.#deadline = this.#facts.ticks.within(Math.min(ms, restMsMax));
    if (this.#deadline > this.#facts.ticks.now) this.#facts.owner.free(this);
    else this.close();
  }

  #forget(): void {
    this.#upload?.stop();
    this.#upload = null;
    this.#reader = null;
    this.#call = null;
    this.#isPaused = false;
  }

  #unconnected(fault: Fault): void {
    this.close();
    this.#facts.owner.unconnected(fault);
  }

  readonly #onEnd = (): void => {
    const call = this.#call;
    if (call !== null && this.#reader?.finish() === true) this.#answered(call, 0);
    else this.end(new Fault('upstream.unreachable', 'the connection was closed'));
  };

  readonly #onError = (error: Error): void => {
    const isLate = 'code' in error && error.code === 'ETIMEDOUT';
    const detail = error.message === '' && 'code' in error ? String(error.code) : error.message;
    this.end(new Fault(isLate ? 'upstream.timeout' : 'upstream.unreachable', detail, { cause: error }));
  };

  readonly #onClose = (): void => {
    this.end(new Fault('upstream.unreachable', 'the connection was closed'));
  };
}

const late = (detail: string): Fault => new Fault('upstream.timeout', detail);
