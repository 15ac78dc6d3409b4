import { createHash, randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../base/clock.js';
import { messageOf, type Logger } from '../base/log.js';
import type { Result } from '../base/result.js';
import { fetchBundle, type Fetched, type FetchOptions } from './fetch-bundle.js';
import { writeDurably } from './kept.js';

export interface BundleServerOptions extends Pick<FetchOptions, 'url' | 'timeoutMs' | 'maxBytes' | 'waitMs'> {
  /** Between two questions where the server does not hold them. */
  readonly minDelayMs: number;
  readonly maxDelayMs: number;
  /** Where the last good bundle is kept for a cold start. */
  readonly dir: string;
}

export interface BundleServerPorts {
  readonly clock: Clock;
  readonly log: Logger;
  /** The secret to ask with, read anew for each question so that it may be rotated; null where there is none. */
  readonly token: () => Promise<Result<string | null, string>>;
}

export interface ServerState {
  /** When the server last answered as it should, Unix time in ms; null: not yet in this process. */
  readonly lookedAtMs: number | null;
  /** Why the last question failed; null when it did not. */
  readonly problem: string | null;
  readonly etag: string | null;
  /** True when the bundle in hand came from an earlier process, not from the server. */
  readonly isFromDisk: boolean;
}

/** Asks a bundle server again and again; what it says goes through the same gate as any other reload. */
export interface BundleServer {
  /** The newest bundle that the server gave; null when neither it nor an earlier process had one. */
  latest(): Buffer | null;
  state(): ServerState;
  /** That bundle came into force: a cold start may begin with it. */
  accepted(bundle: Buffer): Promise<void>;
  /** One question, for the start. */
  ask(): Promise<void>;
  /** Goes on asking; told whenever there is a new bundle. */
  start(onBundle: () => Promise<unknown>): void;
  close(): void;
}

interface Held {
  readonly bytes: Buffer;
  readonly etag: string | null;
}

const noteSchema = z.strictObject({ url: z.string(), etag: z.string().nullable(), sha256: z.string() });
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
/** A server that answers a question that waits at once, again and again, must not keep us busy. */
const longPollPauseMs = 100;

export async function openBundleServer(options: BundleServerOptions, ports: BundleServerPorts): Promise<BundleServer> {
  return new Poller(options, ports, await heldOnDisk(options));
}

const bundleFile = (dir: string): string => join(dir, 'bundle.tar.gz');
const noteFile = (dir: string): string => join(dir, 'bundle.json');

/** What an earlier process left, if it is whole and came from the same place. */
async function heldOnDisk({ dir, url }: BundleServerOptions): Promise<Held | null> {
  try {
    const note = noteSchema.parse(JSON.parse(await readFile(noteFile(dir), 'utf8')));
    const bytes = await readFile(bundleFile(dir));
    return note.url === url && sha256(bytes) === note.sha256 ? { bytes, etag: note.etag } : null;
  } catch {
    return null; // none, or torn: the server has it
  }
}

class Poller implements BundleServer {
  readonly #options: BundleServerOptions;
  readonly #ports: BundleServerPorts;
  readonly #ending = new AbortController();
  #held: Held | null;
  #isFromDisk: boolean;
  #lookedAtMs: number | null = null;
  #problem: string | null = null;
  #takesLongPolls = false;
  #failures = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: BundleServerOptions, ports: BundleServerPorts, held: Held | null) {
    this.#options = options;
    this.#ports = ports;
    this.#held = held;
    this.#isFromDisk = held !== null;
  }

  latest(): Buffer | null {
    return this.#held?.bytes ?? null;
  }

  state(): ServerState {
    const etag = this.#held?.etag ?? null;
    return { lookedAtMs: this.#lookedAtMs, problem: this.#problem, etag, isFromDisk: this.#isFromDisk };
  }

  async accepted(bundle: Buffer): Promise<void> {
    const { dir, url } = this.#options;
    const held = this.#held;
    if (held?.bytes !== bundle || this.#isFromDisk) return;
    const note = { url, etag: held.etag, sha256: sha256(bundle) };
    await writeDurably(bundleFile(dir), bundle); // torn between the two: the digest does not fit, and the server is asked for all of it
    await writeDurably(noteFile(dir), `${JSON.stringify(note)}\n`);
  }

  async ask(): Promise<void> {
    await this.#look(0);
  }

  start(onBundle: () => Promise<unknown>): void {
    const round = async (): Promise<void> => {
      const isNew = await this.#look(this.#takesLongPolls ? this.#options.waitMs : 0);
      if (isNew) await onBundle();
    };
    const again = (): void => {
      if (this.#ending.signal.aborted) return;
      this.#timer = setTimeout(() => {
        void round()
          .catch((thrown: unknown) => {
            this.#ports.log.error('policy.server', { problem: messageOf(thrown) });
          })
          .finally(again);
      }, this.#delayMs()).unref();
    };
    again();
  }

  close(): void {
    this.#ending.abort();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  /** @returns true when there is a bundle that was not known */
  async #look(waitMs: number): Promise<boolean> {
    const { url, timeoutMs, maxBytes } = this.#options;
    const token = await this.#ports.token();
    if (!token.ok) return this.#failed(token.why);
    const etag = this.#held?.etag ?? null;
    const asked = { url, timeoutMs, maxBytes, waitMs, etag, token: token.value };
    const answer = await fetchBundle(asked, this.#ending.signal);
    if (!answer.ok) return this.#failed(answer.why);
    this.#lookedAtMs = this.#ports.clock.nowMs();
    if (this.#problem !== null) this.#ports.log.info('policy.server-answers', {});
    this.#problem = null;
    this.#failures = 0;
    return this.#take(answer.value);
  }

  #take({ bundle, takesLongPolls }: Fetched): boolean {
    this.#takesLongPolls = takesLongPolls && this.#options.waitMs > 0;
    const known = this.#held;
    const isSame = bundle !== null && known !== null && bundle.bytes.equals(known.bytes);
    if (bundle !== null) {
      this.#held = isSame ? { bytes: known.bytes, etag: bundle.etag } : bundle;
      this.#isFromDisk = false;
    }
    return bundle !== null && !isSame;
  }

  #failed(problem: string): false {
    if (this.#ending.signal.aborted) return false;
    if (this.#problem !== problem) this.#ports.log.warn('policy.server-fails', { problem });
    this.#problem = problem;
    this.#takesLongPolls = false;
    this.#failures += 1;
    return false;
  }

  /** Spread, so that many processes do not ask at once; a failing server is asked more and more seldom. */
  #delayMs(): number {
    const { minDelayMs, maxDelayMs } = this.#options;
    if (this.#takesLongPolls) return longPollPauseMs;
    if (this.#lookedAtMs === null && this.#failures === 0) return 0;
    const failing = this.#failures === 0 ? maxDelayMs : Math.min(maxDelayMs, minDelayMs * 2 ** this.#failures);
    return randomInt(minDelayMs, Math.max(minDelayMs, failing) + 1);
  }
}
