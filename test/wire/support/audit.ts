import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** One line of the log, parsed. */
export interface AuditRecord {
  readonly seq: number;
  readonly time: string;
  readonly type: string;
  readonly severity: string;
  readonly id?: string;
  readonly effect?: 'allow' | 'deny' | 'would_deny';
  readonly code?: string | null;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- parsed JSON, read as it comes
  readonly [member: string]: any;
}

interface Segment {
  position: number;
  rest: Buffer;
}

const pollMs = 10;

/** Reads the log of a running program, as far as it is on disk. */
export class AuditReader {
  readonly #dir: string;
  readonly #segments = new Map<string, Segment>();
  readonly #records: AuditRecord[] = [];
  readonly #allowed = new Set<string>();
  readonly #texts: string[] = [];

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Everything so far. */
  records(): readonly AuditRecord[] {
    const names = readdirSync(this.#dir)
      .filter((name) => name.endsWith('.jsonl'))
      .sort();
    for (const name of names) this.#readOn(name);
    return this.#records;
  }

  mark(): number {
    return this.records().length;
  }

  since(mark: number): readonly AuditRecord[] {
    return this.records().slice(mark);
  }

  /** The raw lines. */
  textSince(mark: number): string {
    this.records();
    return this.#texts.slice(mark).join('\n');
  }

  /** Whether a record that admits this request is on disk. */
  hasAllowed(id: string): boolean {
    if (!this.#allowed.has(id)) this.records();
    return this.#allowed.has(id);
  }

  /** Waits until a record behind `mark` passes the test. */
  async find(mark: number, test: (record: AuditRecord) => boolean, timeoutMs = 3_000): Promise<AuditRecord> {
    const found = await this.until(() => this.since(mark).find(test), timeoutMs);
    if (found === undefined) throw new Error(`no such audit record within ${timeoutMs} ms`);
    return found;
  }

  /** Waits until `look` finds something. */
  async until<T>(look: () => T | undefined, timeoutMs = 3_000): Promise<T | undefined> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const found = look();
      if (found !== undefined || performance.now() > endMs) return found;
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }

  #readOn(name: string): void {
    let segment = this.#segments.get(name);
    if (segment === undefined) this.#segments.set(name, (segment = { position: 0, rest: Buffer.alloc(0) }));
    const file = openSync(join(this.#dir, name), 'r');
    try {
      const buffer = Buffer.allocUnsafe(262_144);
      for (;;) {
        const bytes = readSync(file, buffer, 0, buffer.length, segment.position);
        if (bytes === 0) break;
        segment.position += bytes;
        this.#take(segment, Buffer.concat([segment.rest, buffer.subarray(0, bytes)]));
      }
    } finally {
      closeSync(file);
    }
  }

  #take(segment: Segment, bytes: Buffer): void {
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      const text = bytes.toString('utf8', from, end);
      const record = JSON.parse(text) as AuditRecord;
      this.#records.push(record);
      this.#texts.push(text);
      if (record.effect === 'allow' && record.id !== undefined) this.#allowed.add(record.id);
      from = end + 1;
    }
    segment.rest = Buffer.from(bytes.subarray(from));
  }
}
