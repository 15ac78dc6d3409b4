import { randomBytes } from 'node:crypto';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { Fault } from '../model/codes.js';
import { originOf } from './origin.js';
import { acceptOf } from './switch-head.js';
import type { Peer, SwitchSink, UpstreamCall, UpstreamOptions, UpstreamRequest } from './port.js';

const headBytesMax = 16_384;
const keyBytes = 16;

type Options = Pick<UpstreamOptions, 'origin' | 'connectTimeoutMs' | 'headersTimeoutMs'>;

/**
 * Asks the memory server for a WebSocket, on a connection that serves nothing else before or after. The key is our own, so that
 * the answer proves that this server has read this request.
 */
export class SwitchCall implements UpstreamCall {
  readonly #sink: SwitchSink;
  readonly #socket: Socket;
  readonly #key = randomBytes(keyBytes).toString('base64');
  #timer: NodeJS.Timeout;
  #isOver = false;

  constructor(options: Options, request: UpstreamRequest, sink: SwitchSink) {
    const { authority, host, port } = originOf(options.origin);
    this.#sink = sink;
    this.#timer = this.#limit(options.connectTimeoutMs, 'no connection in time');
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('error', (error) => {
      this.#fail(new Fault('upstream.unreachable', error.message, { cause: error }));
    });
    this.#socket.once('connect', () => {
      clearTimeout(this.#timer);
      if (this.#isOver) return;
      if (!sink.begin()) {
        this.abort();
        return;
      }
      this.#timer = this.#limit(options.headersTimeoutMs, 'no answer in time');
      this.#ask(request, authority);
    });
  }

  abort(): void {
    this.#over();
    this.#socket.destroySoon();
    setTimeout(() => this.#socket.destroy(), lingerMs).unref();
  }

  resume(): void {
    this.#socket.resume();
  }

  #ask({ target, headers }: UpstreamRequest, authority: string): void {
    const own = ['Connection', 'Upgrade', 'Upgrade', 'websocket', 'Sec-WebSocket-Version', '13'];
    const asked: ClientRequest = httpRequest({
      createConnection: () => this.#socket,
      method: 'GET',
      path: target,
      headers: ['Host', authority, ...headers, ...own, 'Sec-WebSocket-Key', this.#key],
      maxHeaderSize: headBytesMax,
      insecureHTTPParser: false,
    });
    asked.on('upgrade', (answer, _, surplus) => {
      this.#answered(answer, surplus);
    });
    asked.on('response', (answer) => {
      this.#answered(answer, null);
    });
    asked.on('error', (error) => {
      const isMalformed = 'code' in error && String(error.code).startsWith('HPE_');
      this.#fail(new Fault(isMalformed ? 'upstream.invalid' : 'upstream.unreachable', error.message, { cause: error }));
    });
    asked.end();
  }

  #answered(answer: IncomingMessage, surplus: Buffer | null): void {
    if (this.#isOver) return;
    const { statusCode: status = 0, rawHeaders, headers, httpVersion } = answer;
    if (status !== 101) {
      this.#over();
      this.#sink.declined(status);
      this.#socket.destroy();
      return;
    }
    const isAgreed =
      surplus !== null &&
      httpVersion === '1.1' &&
      headers.upgrade?.toLowerCase() === 'websocket' &&
      headers['sec-websocket-accept'] === acceptOf(this.#key);
    if (!isAgreed) {
      this.#fail(new Fault('upstream.invalid', 'a 101 that does not answer our key'));
      return;
    }
    this.#over();
    const peer: Peer = { headers: rawHeaders, socket: this.#socket, surplus };
    this.#sink.switched(peer);
  }

  #limit(ms: number, detail: string): NodeJS.Timeout {
    return setTimeout(() => {
      this.#fail(new Fault('upstream.timeout', detail));
    }, ms);
  }

  #fail(fault: Fault): void {
    if (this.#isOver) return;
    this.#over();
    this.#socket.destroy();
    this.#sink.failed(fault);
  }

  #over(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}

/** How long the last bytes to the memory server may take, in ms. */
const lingerMs = 500;
