import { join } from 'node:path';
import { genesis, parseRecord, readLink, type Head, type Link } from './chain.js';
import { listSegments, type SegmentName } from './disk.js';
import { eachLine, type Line } from './lines.js';
import { lockHolder } from './lock.js';
import { readAnchor } from './recover.js';

export type ProblemKind =
  | 'altered'
  | 'malformed'
  | 'missing'
  | 'misplaced'
  | 'broken-chain'
  | 'torn'
  | 'truncated'
  | 'rewritten'
  | 'missing-segment'
  | 'header'
  | 'checkpoint'
  | 'missing-checkpoint';

export interface AuditProblem {
  readonly segment: string;
  /** From 1; 0 for the segment, or the log, as a whole. */
  readonly line: number;
  readonly sequence: number | null;
  readonly kind: string;
  readonly message: string;
}

export interface AuditVerdict {
  readonly ok: boolean;
  readonly records: number;
  readonly segments: number;
  readonly lastSequence: number;
  readonly problems: readonly AuditProblem[];
}

// A log that is broken everywhere needs no longer list than this.
const problemsMax = 1_000;

/** A segment's own account of what stood before it. */
interface Previous {
  readonly segment: string;
  readonly bytes: number;
  readonly seq: number;
  readonly hash: string;
}

interface Header {
  readonly segment: unknown;
  readonly reason: unknown;
  readonly previous: Previous | null;
}

const isPrevious = (value: unknown): value is Previous => {
  const { bytes, seq, hash } = (value ?? {}) as Partial<Record<string, unknown>>;
  return typeof bytes === 'number' && typeof seq === 'number' && typeof hash === 'string';
};

const headerOf = (bytes: Buffer): Header => {
  const { segment, reason, previous } = parseRecord(bytes) ?? {};
  return { segment, reason, previous: isPrevious(previous) ? previous : null };
};

class Checker {
  readonly problems: AuditProblem[] = [];
  records = 0;
  expected: Head | null = null;
  segment = '';
  #checkpoints = 0;
  #unreadable = 0;
  readonly #anchor: Head | null;

  constructor(anchor: Head | null) {
    this.#anchor = anchor;
  }

  report(kind: ProblemKind, line: number, sequence: number | null, message: string): void {
    if (this.problems.length < problemsMax)
      this.problems.push({ segment: this.segment, line, sequence, kind, message });
  }

  line(line: Line, number: number, isGrowing: boolean): void {
    if (!line.isComplete) {
      if (!isGrowing) this.report('torn', number, null, `${String(line.bytes.length)} bytes without an end of line`);
      return;
    }
    const link = readLink(line.bytes);
    if (link === null) {
      this.#unreadable += 1;
      this.report('malformed', number, null, 'the line is not a record of this log');
      return;
    }
    this.records += 1;
    if (!link.intact) this.#altered(link, number);
    else {
      const last = this.expected;
      this.#place(link, number);
      this.#own(link, line.bytes, { number, last });
    }
    this.#unreadable = 0;
  }

  finish(): void {
    const last = this.expected?.seq ?? 0;
    const anchor = this.#anchor;
    if (anchor !== null && anchor.seq > last) {
      this.report(
        'truncated',
        0,
        last + 1,
        `the last checkpoint counts ${String(anchor.seq)} records, the log ends at ${String(last)}`,
      );
    }
    // One checkpoint may be durable a moment before the file that repeats it.
    if (anchor === null && this.#checkpoints > 1)
      this.report('missing-checkpoint', 0, null, 'checkpoint.json is gone or unreadable');
  }

  #altered(link: Link, number: number): void {
    const sequence = this.expected === null ? link.seq : this.expected.seq + 1 + this.#unreadable;
    this.report('altered', number, sequence, 'the bytes of the record do not give its hash');
    this.expected = { seq: sequence, hash: link.hash };
  }

  #place(link: Link, number: number): void {
    const { seq, prev } = link;
    const { expected } = this;
    const anchor = this.#anchor;
    if (anchor?.seq === seq && anchor.hash !== link.hash) {
      this.report('rewritten', number, seq, 'the record differs from the one that the last checkpoint names');
    }
    if (expected !== null && prev !== expected.hash) {
      const wanted = expected.seq + 1 + this.#unreadable;
      if (seq <= expected.seq) {
        this.report('misplaced', number, seq, `record ${String(seq)} stands behind record ${String(expected.seq)}`);
        return;
      }
      if (seq > wanted)
        this.report('missing', number, wanted, `records ${String(wanted)} to ${String(seq - 1)} are missing`);
      else if (this.#unreadable === 0)
        this.report('broken-chain', number, seq, 'the record names another hash than that of the record before');
    } else if (expected !== null && seq !== expected.seq + 1) {
      this.report('misplaced', number, seq, `record ${String(expected.seq + 1)} was to stand here`);
    }
    this.expected = { seq, hash: link.hash };
  }

  #own(link: Link, bytes: Buffer, { number, last }: { number: number; last: Head | null }): void {
    const isHeader = link.type === 'system.segment-started';
    if (isHeader !== (number === 1)) {
      this.report(
        'header',
        number,
        link.seq,
        isHeader ? 'a segment header inside a segment' : 'the segment does not begin with its header',
      );
      return;
    }
    if (isHeader) {
      const { segment, previous } = headerOf(bytes);
      if (segment !== this.segment) this.report('header', number, link.seq, `the header is that of ${String(segment)}`);
      const stated = previous ?? genesis;
      const isNext = last === null || (stated.seq === last.seq && stated.hash === last.hash);
      if (!isNext && link.prev === last.hash)
        this.report('header', number, link.seq, 'the header names another record than the last one');
    } else if (link.type === 'system.checkpoint') {
      this.#checkpoints += 1;
      const count = parseRecord(bytes)?.['count'];
      if (count !== link.seq)
        this.report('checkpoint', number, link.seq, `the checkpoint counts ${String(count)} records`);
    }
  }
}

async function firstHeader(dir: string, segment: SegmentName): Promise<Header | null> {
  let header: Header | null = null;
  let isFirst = true;
  await eachLine(join(dir, segment.name), { limit: 16_384 }, (line) => {
    if (isFirst && line.isComplete && readLink(line.bytes)?.type === 'system.segment-started')
      header = headerOf(line.bytes);
    isFirst = false;
  });
  return header;
}

/** Bytes of a segment that belong to the log: what a failed batch left behind its last durable record does not. */
async function limitOf(dir: string, next: SegmentName | undefined): Promise<number> {
  const header = next === undefined ? null : await firstHeader(dir, next);
  return header?.reason === 'failure' && header.previous !== null ? header.previous.bytes : Infinity;
}

/**
 * Reads every segment and checks every hash, every link, every header, and the last checkpoint. Works beside a running
 * process. What it cannot see: records cut off behind the last checkpoint, and a log replaced together with its checkpoint;
 * compare with the `audit.checkpoint` lines of the process log for those.
 */
export async function verifyAuditLog(dir: string): Promise<AuditVerdict> {
  const [anchor, holder] = [await readAnchor(dir), await lockHolder(dir)];
  const segments = await listSegments(dir);
  const checker = new Checker(anchor);
  checker.expected = genesis;
  let number = 0;
  for (const [i, segment] of segments.entries()) {
    checker.segment = segment.name;
    if (segment.number !== number + 1) {
      checker.report(
        'missing-segment',
        0,
        null,
        `segments ${String(number + 1)} to ${String(segment.number - 1)} are missing`,
      );
    }
    number = segment.number;
    const isGrowing = holder !== null && i === segments.length - 1;
    const limit = await limitOf(dir, segments[i + 1]);
    let line = 0;
    await eachLine(join(dir, segment.name), { limit }, (at) => checker.line(at, (line += 1), isGrowing));
  }
  checker.finish();
  const { problems, records, expected } = checker;
  return { ok: problems.length === 0, records, segments: segments.length, lastSequence: expected.seq, problems };
}

// A record is at most 8 KiB, so that many bytes from the end surely hold one.
const tailBytesPerRecord = 8_192;

/** The newest `count` records, newest last. Lines that do not read as records are left out; `verifyAuditLog` is for those. */
export async function readAuditTail(dir: string, count: number): Promise<readonly Record<string, unknown>[]> {
  let found: Record<string, unknown>[] = [];
  const segments = await listSegments(dir);
  for (let i = segments.length - 1; i >= 0 && found.length < count; i -= 1) {
    const segment = segments[i];
    if (segment === undefined) break;
    const limit = await limitOf(dir, segments[i + 1]);
    const end = Math.min(segment.bytes, limit);
    const start = Math.max(0, end - (count - found.length + 1) * tailBytesPerRecord);
    const records: Record<string, unknown>[] = [];
    await eachLine(join(dir, segment.name), { start, limit: end }, ({ bytes, isComplete }) => {
      const record = isComplete && readLink(bytes) !== null ? parseRecord(bytes) : null;
      if (record !== null) records.push(record);
    });
    found = [...records, ...found];
  }
  return found.slice(Math.max(0, found.length - count));
}
