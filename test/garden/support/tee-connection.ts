import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { StrictReader, type ReadRequest } from '../../wire/support/strict-reader.js';
import { Asked } from './asked.js';
import { numberHeader, type TeeReport } from './finding.js';
import { differences } from './reading.js';
import type { ReferenceServer } from './servers.js';

const answerMsMax = 10_000;
const endMsMax = 3_000;
/** Servers get this long to say something about bytes that are not HTTP. */
const brokenMs = 100;
/** Then the connection is ended, so that its end is looked at as well. */
const requestsMax = 25;

/** One connection of the gateway, and its likenesses at all reference servers. */
export class TeeConnection {
  /** When the last byte is compared. */
  readonly finished: Promise<void>;
  readonly #socket: Socket;
  readonly #asked: readonly Asked[];
  readonly #report: TeeReport;
  readonly #reader: StrictReader;
  #bytes: Buffer[] = [];
  #turn: Promise<void> = Promise.resolve();
  #count = 0;
  #broken: string | null = null;
  #isSpoilt = false;

  constructor(socket: Socket, servers: readonly ReferenceServer[], report: TeeReport) {
    this.#socket = socket;
    this.#report = report;
    this.#asked = servers.map((server) => new Asked(server));
    this.#reader = new StrictReader({
      done: (request) => {
        const facts = { request, at: this.#count, bytes: Buffer.concat(this.#bytes) };
        this.#bytes = [];
        this.#count += 1;
        this.#turn = this.#turn.then(() => this.#compare(facts));
      },
      broken: (why) => (this.#broken = why),
    });
    const left = new Promise<void>((resolve) => {
      const leave = (): void => resolve();
      socket.on('end', leave).on('close', leave).on('error', leave);
    });
    socket.setNoDelay(true).on('data', (bytes) => this.#arrived(bytes));
    this.finished = left.then(() => this.#end());
  }

  #arrived(bytes: Buffer): void {
    this.#bytes.push(bytes);
    for (const asked of this.#asked) asked.write(bytes);
    if (this.#broken !== null) return;
    this.#reader.push(bytes);
    if (this.#isBroken()) this.#turn = this.#turn.then(() => this.#compareBroken());
  }

  #isBroken(): boolean {
    return this.#broken !== null;
  }

  async #compare(facts: { request: ReadRequest; at: number; bytes: Buffer }): Promise<void> {
    const { request, at, bytes } = facts;
    const number = this.#report.nextNumber();
    const what = this.#isSpoilt ? [] : await this.#differences(request, at);
    if (what.length > 0) {
      this.#isSpoilt = true;
      this.#report.found({ number, what, bytes });
    }
    this.#report.forwarded({ number, request });
    const isLast = this.#isSpoilt || at + 1 >= requestsMax;
    this.#answer(`200 OK`, number, isLast);
  }

  async #differences(request: ReadRequest, at: number): Promise<string[]> {
    const heard = await Promise.all(this.#asked.map((asked) => asked.reading(at, answerMsMax)));
    return this.#asked.flatMap(({ server: { name, manners } }, of) => {
      const reading = heard[of] ?? 'nothing';
      const found =
        typeof reading === 'string' ? [`request not read: ${reading}`] : differences(request, reading, manners);
      return found.map((each) => `${name}: ${each}`);
    });
  }

  /** Bytes that are not strict HTTP/1.1: what do the servers make of them? */
  async #compareBroken(): Promise<void> {
    await sleep(brokenMs);
    const number = this.#report.nextNumber();
    const what = [`strict reader: ${this.#broken ?? ''}`, ...this.#betweenServers()];
    this.#isSpoilt = true;
    this.#report.found({ number, what, bytes: Buffer.concat(this.#bytes) });
    this.#answer('400 Bad Request', number, true);
  }

  #betweenServers(): string[] {
    const [first, ...others] = this.#asked;
    if (first === undefined) return [];
    return others.flatMap((other) => {
      const found: string[] = [];
      if (other.heard.length !== first.heard.length)
        found.push(`${other.heard.length} requests, and ${first.server.name} ${first.heard.length}`);
      for (let at = this.#count; at < Math.min(first.heard.length, other.heard.length); at += 1) {
        const [one, two] = [first.heard[at], other.heard[at]];
        if (one !== undefined && two !== undefined)
          found.push(...differences(one, two, { ...other.server.manners, tellsPath: false }));
      }
      return found.map((each) => `between servers: ${other.server.name}: ${each}`);
    });
  }

  #answer(status: string, number: number, isLast: boolean): void {
    if (!this.#socket.writable) return;
    const close = isLast ? 'Connection: close\r\n' : '';
    this.#socket.write(`HTTP/1.1 ${status}\r\n${numberHeader}: ${number}\r\n${close}Content-Length: 0\r\n\r\n`);
    if (isLast) this.#socket.end();
  }

  /** Whoever has read another number of requests than were sent has read something that was not there, or the other way round. */
  async #end(): Promise<void> {
    await this.#turn;
    for (const asked of this.#asked) asked.end();
    await Promise.race([
      Promise.all(this.#asked.map(({ closed }) => closed)),
      sleep(endMsMax, undefined, { ref: false }),
    ]);
    const what = this.#asked
      .filter(({ heard }) => heard.length !== this.#count)
      .map(
        ({ server: { name }, heard }) =>
          `${name}: ${heard.length} requests on the connection instead of ${this.#count}`,
      );
    if (what.length > 0 && !this.#isSpoilt)
      this.#report.found({ number: null, what, bytes: Buffer.concat(this.#bytes) });
    for (const asked of this.#asked) asked.close();
    this.#socket.destroy();
  }
}
