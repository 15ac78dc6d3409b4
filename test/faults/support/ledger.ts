import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

const bufferBytes = 1_048_576;
const allowForm = /"type":"authorization\.allowed",.{0,200}?"id":"([A-Za-z0-9_-]+)"/;
const operatorForm = /"route":"admin\./;
const outcomeForm = /"type":"memory\.[a-z-]+",.{0,200}?"id":"([A-Za-z0-9_-]+)"/;
const lostForm = /"type":"system\.audit-lost",.*"by_type":\{([^}]*)\}/;
const keptBackForm = /"not_forwarded":"/;
const failureForm =
  /"type":"system\.segment-started",.*"reason":"failure","previous":\{"segment":"([^"]+)","bytes":(\d+)/;

interface Place {
  readonly segment: string;
  readonly offset: number;
}

/** Reads the lines that were appended to the log since it was last asked, of every segment in turn. */
class Tail {
  readonly #dir: string;
  readonly #buffer = Buffer.allocUnsafe(bufferBytes);
  #segment = '';
  #file: number | null = null;
  #offset = 0;
  #rest = '';

  constructor(dir: string) {
    this.#dir = dir;
  }

  read(each: (line: string, place: Place) => void): void {
    for (;;) {
      // Asked first: a segment is complete once there is a next one, and not before.
      const next = this.#next();
      this.#toEnd(each);
      if (next === undefined) return;
      this.#open(next);
    }
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }

  #toEnd(each: (line: string, place: Place) => void): void {
    if (this.#file === null) return;
    for (;;) {
      const bytes = readSync(this.#file, this.#buffer, 0, bufferBytes, this.#offset);
      if (bytes === 0) return;
      const startsAt = this.#offset - this.#rest.length;
      const lines = (this.#rest + this.#buffer.toString('latin1', 0, bytes)).split('\n');
      this.#offset += bytes;
      this.#rest = lines.pop() ?? '';
      let offset = startsAt;
      for (const line of lines) {
        each(line, { segment: this.#segment, offset });
        offset += line.length + 1;
      }
    }
  }

  #next(): string | undefined {
    return readdirSync(this.#dir)
      .filter((name) => name.endsWith('.jsonl') && name > this.#segment)
      .sort()[0];
  }

  #open(segment: string): void {
    this.close();
    this.#segment = segment;
    this.#file = openSync(join(this.#dir, segment), 'r');
    this.#offset = 0;
    this.#rest = '';
  }
}

/**
 * Holds each request that reaches the memory server against the log, while both grow, in memory that does not: R1 over any
 * number of requests.
 */
export class Ledger {
  readonly problems: string[] = [];
  allows = 0;
  arrivals = 0;
  notForwarded = 0;
  /** Outcomes that the log says it could not write. */
  lostOutcomes = 0;
  readonly #tail: Tail;
  /** Allowed, and nothing is known of them yet. */
  readonly #due = new Map<string, Place>();
  /** Gone upstream, and their outcome is still to come. */
  readonly #underWay = new Map<string, Place>();
  /** Ended before they came in: a network that held them back may still deliver them. */
  readonly #late = new Set<string>();

  constructor(dir: string) {
    this.#tail = new Tail(dir);
  }

  /** A request has reached the memory server at this moment. */
  arrived(id: string): void {
    this.arrivals += 1;
    if (this.#late.delete(id)) return;
    if (!this.#due.has(id)) this.read();
    if (this.#late.delete(id)) return; // its outcome was read just now
    const place = this.#due.get(id);
    if (place === undefined) {
      this.#wrong(`${id || 'a request without an id'} went upstream without an allow record of its own`);
      return;
    }
    this.#due.delete(id);
    this.#underWay.set(id, place);
  }

  /** Takes what was written since. */
  read(): void {
    this.#tail.read((line, place) => {
      this.#take(line, place);
    });
  }

  /** Nothing follows any more: what is left open is wrong as well, beyond what the log says it has lost. */
  finish(): void {
    this.read();
    this.#tail.close();
    for (const id of this.#due.keys()) this.#wrong(`${id} was allowed, and nothing tells what became of it`);
    if (this.#underWay.size > this.lostOutcomes)
      for (const id of this.#underWay.keys()) this.#wrong(`${id} went upstream, and has no outcome`);
  }

  #take(line: string, place: Place): void {
    const [, allowed] = allowForm.exec(line) ?? [];
    if (allowed !== undefined) {
      if (operatorForm.test(line)) return; // ends in the gateway itself
      this.allows += 1;
      if (this.#due.has(allowed) || this.#underWay.has(allowed)) this.#wrong(`${allowed} has two allow records`);
      this.#due.set(allowed, place);
      return;
    }
    const [, ended] = outcomeForm.exec(line) ?? [];
    if (ended !== undefined) this.#ended(ended, keptBackForm.test(line));
    const [, lost = ''] = lostForm.exec(line) ?? [];
    for (const [, count] of lost.matchAll(/"memory\.[a-z-]+":(\d+)/g)) this.lostOutcomes += Number(count);
    const [, segment, bytes] = failureForm.exec(line) ?? [];
    if (segment !== undefined) this.#void(segment, Number(bytes));
  }

  #ended(id: string, wasKeptBack: boolean): void {
    if (wasKeptBack) {
      this.notForwarded += 1;
      if (this.#underWay.has(id)) this.#wrong(`${id} went upstream, and its outcome says not_forwarded`);
    }
    if (this.#due.delete(id) && !wasKeptBack) this.#late.add(id);
    this.#underWay.delete(id);
  }

  /** What a failed batch left behind is no part of the log, and whoever waited for it was refused. */
  #void(segment: string, bytes: number): void {
    const isVoid = (place: Place): boolean => place.segment === segment && place.offset >= bytes;
    for (const [id, place] of this.#due) if (isVoid(place)) this.#due.delete(id);
    for (const [id, place] of this.#underWay)
      if (isVoid(place)) this.#wrong(`${id} went upstream on a record that was not durable`);
  }

  #wrong(what: string): void {
    if (this.problems.length < 100) this.problems.push(what);
  }
}
