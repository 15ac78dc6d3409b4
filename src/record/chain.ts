import { hash } from 'node:crypto';

/** Where the chain stands: the last record's number and hash. */
export interface Head {
  readonly seq: number;
  readonly hash: string;
}

/** Before the first record of a log. */
export const genesis: Head = { seq: 0, hash: '0'.repeat(64) };

/** A record is at most this long, newline included. */
export const recordBytesMax = 8_192;

/** What `seal` adds around a body, at most: number, time, two hashes, their names. */
export const sealBytes = 280;

let timeMs = NaN;
let timeText = '';

/** ISO 8601; one conversion a millisecond. */
export function isoTime(ms: number): string {
  if (ms !== timeMs) {
    timeText = new Date(ms).toISOString();
    timeMs = ms;
  }
  return timeText;
}

/** `,"hash":"…"}` behind what a hash covers. */
const endBytes = 75;
const bytesAtFirst = 65_536;
/** A UTF-16 unit takes at most three bytes of UTF-8. */
const bytesPerUnitMax = 3;

/** Lines in the making. One set of bytes serves all batches of a log, one after the other: they are most of what a request costs in memory. */
export class Lines {
  #bytes = Buffer.allocUnsafe(bytesAtFirst);
  #length = 0;

  /** Valid until the next `clear`. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  /**
   * Adds one line of a body such as `"type":"key.created",…`. The hash covers every byte before `,"hash":"`,
   * and with them the hash of the record before: `printf %s "${line%,\"hash\":*}" | sha256sum` checks it.
   *
   * @returns where the chain stands with it
   */
  seal(head: Head, atMs: number, body: string): Head {
    const seq = head.seq + 1;
    const covered = `{"seq":${String(seq)},"time":"${isoTime(atMs)}","prev":"${head.hash}",${body}`;
    this.#makeRoom(covered.length * bytesPerUnitMax + endBytes + 1);
    const end = this.#length + this.#bytes.write(covered, this.#length, 'utf8');
    const digest = hash('sha256', this.#bytes.subarray(this.#length, end), 'hex');
    this.#length = end + this.#bytes.write(`,"hash":"${digest}"}\n`, end, 'latin1');
    return { seq, hash: digest };
  }

  #makeRoom(bytes: number): void {
    const wanted = this.#length + bytes;
    if (wanted <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(wanted, this.#bytes.length * 2));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}

/** What a line says of its place in the chain. */
export interface Link extends Head {
  readonly time: string;
  readonly prev: string;
  readonly type: string;
  /** False when the bytes do not give the hash that the line states. */
  readonly intact: boolean;
}

const start = /^\{"seq":(\d{1,16}),"time":"([0-9TZ:.+-]{20,27})","prev":"([0-9a-f]{64})","type":"([^"\\]{1,64})",/;
const end = /^,"hash":"([0-9a-f]{64})"\}$/;
const startBytes = 200;

/** Reads the chain's part of a line (without its newline); null when it is not in the form that `seal` gives. */
export function readLink(line: Buffer): Link | null {
  if (line.length <= endBytes || line.length >= recordBytesMax) return null;
  const covered = line.length - endBytes;
  const head = start.exec(line.toString('latin1', 0, Math.min(startBytes, covered)));
  const tail = end.exec(line.toString('latin1', covered));
  if (head === null || tail === null) return null;
  const stated = tail[1] ?? '';
  return {
    seq: Number(head[1]),
    time: head[2] ?? '',
    prev: head[3] ?? '',
    type: head[4] ?? '',
    hash: stated,
    intact: hash('sha256', line.subarray(0, covered), 'hex') === stated,
  };
}

/** The whole record, or null when the line is no JSON object. */
export function parseRecord(line: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
