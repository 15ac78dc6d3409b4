import { FrameRules, type FrameOptions } from './frame-rules.js';

const headBytesMax = 14;

/** Follows the frames of a direction that is passed on as it comes: holds a head at most, and knows where one ends. */
export class FrameWalk {
  readonly #rules: FrameRules;
  #head: Buffer = Buffer.alloc(0);
  #payloadLeft = 0;

  constructor(options: FrameOptions) {
    this.#rules = new FrameRules(options);
  }

  get isClosed(): boolean {
    return this.#rules.isClosed;
  }

  /** True where a frame of ours could stand. */
  get isBetweenFrames(): boolean {
    return this.#payloadLeft === 0 && this.#head.length === 0;
  }

  /** @throws TunnelFault */
  passed(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      const skipped = Math.min(this.#payloadLeft, rest.length);
      this.#payloadLeft -= skipped;
      rest = rest.subarray(skipped);
      if (rest.length > 0) rest = this.#readHead(rest);
    }
  }

  #readHead(rest: Buffer): Buffer {
    const before = this.#head.length;
    const bytes = Buffer.concat([this.#head, rest.subarray(0, headBytesMax)]);
    const head = this.#rules.head(bytes);
    if (head === null) {
      this.#head = bytes;
      return rest.subarray(bytes.length - before);
    }
    this.#rules.took(head);
    this.#head = Buffer.alloc(0);
    this.#payloadLeft = head.payloadBytes;
    return rest.subarray(head.headBytes - before);
  }
}
