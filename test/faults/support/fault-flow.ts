import type { Socket } from 'node:net';
import { setImmediate as turn, setTimeout as after } from 'node:timers/promises';
import { Dice } from '../../wire/support/mutations.js';

/** `both`, or the bytes that go one way only. */
export type Direction = 'toServer' | 'toClient';

/** What is done to the bytes. All at once where several are set. */
export interface Faults {
  readonly direction: Direction | 'both';
  /** Every byte comes so much later, in ms. */
  readonly latencyMs: number;
  /** And up to so much later still, in ms. Order is kept. */
  readonly jitterMs: number;
  /** The first so many bytes of each piece go out in pieces of 1 to 7 bytes. */
  readonly slicedBytes: number;
  /** At most so many bytes a second and connection; Infinity for no limit. */
  readonly bytesPerSecond: number;
  /** Both sides are reset when a connection has passed so many more bytes; Infinity for never. */
  readonly resetAfterBytes: number;
  /** The sender's side is closed (FIN) when a connection has passed so many more bytes; the other way goes on. */
  readonly halfCloseAfterBytes: number;
  /** Bytes are taken and go nowhere until this is over. */
  readonly blackhole: boolean;
}

export const noFaults: Faults = {
  direction: 'both',
  latencyMs: 0,
  jitterMs: 0,
  slicedBytes: 0,
  bytesPerSecond: Infinity,
  resetAfterBytes: Infinity,
  halfCloseAfterBytes: Infinity,
  blackhole: false,
};

export interface FlowRules {
  faults(): Faults;
  /** Aborts when the faults change. */
  changed(): AbortSignal;
  reset(): void;
}

interface FlowEnds {
  readonly from: Socket;
  readonly to: Socket;
  readonly direction: Direction;
}

interface Piece {
  readonly bytes: Buffer;
  readonly dueMs: number;
}

/** Above this the sender has to wait, as it would on a full link. */
const heldBytesMax = 262_144;
const sliceMax = 7;
/** A slow link sends so many times a second. */
const sendsPerSecond = 20;

/** One way of a connection: a queue of pieces with the times at which they are due. */
export class Flow {
  readonly #ends: FlowEnds;
  readonly #rules: FlowRules;
  readonly #dice = new Dice(1);
  readonly #pieces: Piece[] = [];
  #heldBytes = 0;
  #hasEnded = false;
  #isOver = false;
  #isSending = false;
  /** Bytes passed since the faults last changed. */
  #passed = 0;
  #passedUnder: Faults = noFaults;

  constructor(ends: FlowEnds, rules: FlowRules) {
    this.#ends = ends;
    this.#rules = rules;
  }

  /** Listens; returns at once. */
  run(): void {
    const { from, to } = this.#ends;
    from.on('data', (bytes: Buffer) => {
      this.#hold(bytes);
    });
    from.on('end', () => {
      this.#hasEnded = true;
      this.#wake();
    });
    from.on('close', (hadError) => {
      if (!this.#hasEnded && !hadError) to.destroy();
      if (to.destroyed) this.#isOver = true;
    });
    to.on('close', () => {
      this.#isOver = true;
      if (!from.destroyed) from.destroy();
    });
  }

  get #faults(): Faults {
    const faults = this.#rules.faults();
    const { direction } = faults;
    return direction === 'both' || direction === this.#ends.direction ? faults : noFaults;
  }

  #hold(bytes: Buffer): void {
    const { latencyMs, jitterMs } = this.#faults;
    const jitter = jitterMs > 0 ? this.#dice.roll(jitterMs) : 0;
    const dueMs = Math.max(performance.now() + latencyMs + jitter, this.#pieces.at(-1)?.dueMs ?? 0);
    this.#pieces.push({ bytes, dueMs });
    this.#heldBytes += bytes.length;
    if (this.#heldBytes > heldBytesMax) this.#ends.from.pause();
    this.#wake();
  }

  #wake(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    void this.#send().finally(() => {
      this.#isSending = false;
    });
  }

  async #send(): Promise<void> {
    const { from, to } = this.#ends;
    // What is written to a connection that is not there yet goes out as one piece.
    while (to.connecting && !to.destroyed && !this.#isOver) await after(1);
    while (!this.#isOver) {
      await this.#untilAllowed();
      const piece = this.#pieces.shift();
      if (piece === undefined) break;
      const waitMs = piece.dueMs - performance.now();
      if (waitMs > 0) await after(waitMs);
      await this.#pass(piece.bytes);
      this.#heldBytes -= piece.bytes.length;
      if (this.#heldBytes <= heldBytesMax && from.isPaused()) from.resume();
    }
    if (this.#hasEnded && this.#pieces.length === 0 && !this.#isOver) {
      await this.#untilAllowed();
      to.end();
    }
  }

  /** While nothing may pass. */
  async #untilAllowed(): Promise<void> {
    while (this.#faults.blackhole && !this.#isOver) {
      const changed = this.#rules.changed();
      await after(1_000, undefined, { signal: changed, ref: false }).catch(() => undefined);
    }
  }

  async #pass(bytes: Buffer): Promise<void> {
    let rest = bytes;
    while (rest.length > 0 && !this.#isOver) {
      const faults = this.#faults;
      if (faults !== this.#passedUnder) {
        this.#passedUnder = faults;
        this.#passed = 0;
      }
      const left = Math.min(faults.resetAfterBytes, faults.halfCloseAfterBytes) - this.#passed;
      const size = Math.min(rest.length, Math.max(0, left), this.#sizeOf(faults, bytes.length - rest.length));
      if (size > 0) await this.#write(rest.subarray(0, size), faults);
      this.#passed += size;
      rest = rest.subarray(size);
      if (this.#passed < Math.min(faults.resetAfterBytes, faults.halfCloseAfterBytes)) continue;
      this.#isOver = true;
      if (faults.resetAfterBytes <= this.#passed) this.#rules.reset();
      else this.#ends.to.end();
    }
  }

  #sizeOf({ slicedBytes, bytesPerSecond }: Faults, at: number): number {
    const slice = at < slicedBytes ? 1 + this.#dice.roll(sliceMax) : Infinity;
    return Math.min(slice, Math.max(1, Math.ceil(bytesPerSecond / sendsPerSecond)));
  }

  async #write(bytes: Buffer, { bytesPerSecond, slicedBytes }: Faults): Promise<void> {
    const { to } = this.#ends;
    if (to.destroyed || to.writableEnded) return;
    if (!to.write(bytes)) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          to.off('drain', done).off('close', done);
          resolve();
        };
        to.on('drain', done).on('close', done);
      });
    }
    if (bytesPerSecond < Infinity) await after((bytes.length * 1_000) / bytesPerSecond);
    else if (slicedBytes > 0) await turn(); // or the kernel puts the slices together again
  }
}
