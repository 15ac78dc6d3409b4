import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { BodyFailure } from '../model/body-failure.js';
import { refuse } from '../model/codes.js';

const watchIntervalMs = 1_000;

type Ending = 'open' | 'complete' | 'broken';

interface StreamOptions {
  readonly early: readonly Buffer[];
  readonly onChunk: (bytes: number) => void;
  readonly isTooSlow: (elapsedMs: number) => boolean;
  readonly monotonicMs: () => number;
}

/** Passes an incoming body on without giving its socket away: destroying this stream ends the upload, not the client's connection. */
export class BodyStream extends Readable {
  readonly #request: IncomingMessage;
  readonly #early: Buffer[];
  readonly #watch: NodeJS.Timeout;
  #ending: Ending = 'open';

  constructor(request: IncomingMessage, options: StreamOptions) {
    super();
    this.#request = request;
    this.#early = [...options.early];
    let waitedMs = 0; // time that the upstream made the client wait does not count against the client
    let lastMs = options.monotonicMs();
    this.#watch = setInterval(() => {
      const nowMs = options.monotonicMs();
      if (!request.isPaused()) waitedMs += nowMs - lastMs;
      lastMs = nowMs;
      if (options.isTooSlow(waitedMs))
        this.destroy(new BodyFailure(refuse('gate.timeout', 'the body came too slowly')));
    }, watchIntervalMs);
    this.#watch.unref();
    request.on('data', (chunk: Buffer) => {
      options.onChunk(chunk.length);
      // Given up, it must not stop whoever reads the rest away.
      if (this.#ending === 'open' && !this.destroyed && !this.push(chunk)) request.pause();
    });
    request.on('end', () => {
      this.#finish('complete');
    });
    request.on('close', () => {
      if (!request.complete) this.#finish('broken');
    });
    if (request.readableEnded) this.#finish('complete');
    else request.pause();
  }

  override _read(): void {
    for (let chunk = this.#early.shift(); chunk !== undefined; chunk = this.#early.shift())
      if (!this.push(chunk)) return;
    if (this.#ending === 'complete') this.push(null);
    else this.#request.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearInterval(this.#watch);
    this.#request.pause();
    callback(error);
  }

  #finish(ending: Ending): void {
    if (this.#ending !== 'open') return;
    this.#ending = ending;
    clearInterval(this.#watch);
    if (ending === 'broken') this.destroy(new BodyFailure(null));
    else if (this.#early.length === 0) this.push(null);
  }
}
