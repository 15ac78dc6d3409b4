import { Readable } from 'node:stream';
import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { RequestBody } from '../model/request.js';
import type { CallHead } from '../resolve/resolve.js';
import type { Messages } from './messages.js';

/** The messages of a call as the bodies of its requests: the first is read when somebody asks for it, as the method says. */
export class FirstMessage implements RequestBody {
  readonly framing = 'none';
  readonly length = null;
  readonly #messages: Messages;
  #read: Promise<Result<Buffer, Refusal>> | null = null;
  #bytes = 0;
  /** Null where the method is not known. */
  streaming: CallHead['streaming'] | null = null;

  constructor(messages: Messages) {
    this.#messages = messages;
  }

  /** Several messages may come from the caller. */
  get isOpen(): boolean {
    return this.streaming !== 'unary' && this.streaming !== 'server';
  }

  /** Either side may send several messages. */
  get isStream(): boolean {
    return this.streaming !== 'unary';
  }

  get isComplete(): boolean {
    return this.#bytes > 0;
  }

  get received(): number {
    return this.#bytes;
  }

  /** The bound is that of the reader. */
  collect(): Promise<Result<Buffer, Refusal>> {
    return (this.#read ??= this.#first());
  }

  stream(): Readable {
    return Readable.from([]); // a call is passed on message by message
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }

  async #first(): Promise<Result<Buffer, Refusal>> {
    const message = this.isOpen ? await this.#messages.next() : await this.#messages.single();
    if (!message.ok) return message;
    if (message.value === null) return no(refuse('resolve.body', 'a call without a message'));
    this.#bytes = message.value.length;
    return ok(message.value);
  }
}

/** A message that has been read. */
export class LaterMessage implements RequestBody {
  readonly framing = 'none';
  readonly length = null;
  readonly isComplete = true;
  readonly #message: Buffer;
  streaming: CallHead['streaming'] | null = null;

  constructor(message: Buffer) {
    this.#message = message;
  }

  get received(): number {
    return this.#message.length;
  }

  collect(): Promise<Result<Buffer, Refusal>> {
    return Promise.resolve(ok(this.#message));
  }

  stream(): Readable {
    return Readable.from([this.#message]);
  }

  discard(): Promise<void> {
    return Promise.resolve();
  }
}
