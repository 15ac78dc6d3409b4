import { genesis, parseRecord, readLink, type Head, type Link } from './chain.js';
import type { Line } from './lines.js';

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
  | 'missing-checkpoint'
  | 'clock';

export interface AuditProblem {
  readonly segment: string;
  /** From 1; 0 for the segment, or the log, as a whole. */
  readonly line: number;
  readonly sequence: number | null;
  readonly kind: string;
  readonly message: string;
}

// A log that is broken everywhere needs no longer list than this.
const problemsMax = 1_000;
/** A record may be noted a moment after its time was taken. */
const backMsMin = 500;

/** A segment's own account of what stood before it. */
interface Previous {
  readonly segment: string;
  readonly bytes: number;
  readonly seq: number;
  readonly hash: string;
}

export interface Header {
  readonly segment: unknown;
  readonly reason: unknown;
  readonly previous: Previous | null;
}

const isPrevious = (value: unknown): value is Previous => {
  const { bytes, seq, hash } = (value ?? {}) as Partial<Record<string, unknown>>;
  return typeof bytes === 'number' && typeof seq === 'number' && typeof hash === 'string';
};

/** Reads a segment's header. */
export const headerOf = (bytes: Buffer): Header => {
  const { segment, reason, previous } = parseRecord(bytes) ?? {};
  return { segment, reason, previous: isPrevious(previous) ? previous : null };
};

/** Walks the records of a log in order, and keeps what is wrong. */
export class Checker {
  readonly problems: AuditProblem[] = [];
  /** What breaks nothing, and has to be known: where times are not to be believed. */
  readonly notices: AuditProblem[] = [];
  records = 0;
  expected: Head | null = null;
  segment = '';
  #checkpoints = 0;
  #unreadable = 0;
  #lastMs = -Infinity;
  readonly #anchor: Head | null;

  constructor(anchor: Head | null) {
    this.#anchor = anchor;
  }

  report(kind: ProblemKind, { line, seq }: { line: number; seq: number | null }, message: string): void {
    if (this.problems.length >= problemsMax) return;
    this.problems.push({ segment: this.segment, line, sequence: seq, kind, message });
  }

  line(line: Line, number: number, isGrowing: boolean): void {
    if (!line.isComplete) {
      if (!isGrowing)
        this.report('torn', { line: number, seq: null }, `${String(line.bytes.length)} bytes without an end of line`);
      return;
    }
    const link = readLink(line.bytes);
    if (link === null) {
      this.#unreadable += 1;
      this.report('malformed', { line: number, seq: null }, 'the line is not a record of this log');
      return;
    }
    this.records += 1;
    if (!link.intact) this.#altered(link, number);
    else {
      const last = this.expected;
      this.#place(link, number);
      this.#own(link, line.bytes, { number, last });
      this.#time(link, line.bytes, number);
    }
    this.#unreadable = 0;
  }

  #time({ seq, time, type }: Link, bytes: Buffer, number: number): void {
    // The log's own records are not in line with those that waited for the disk.
    if (type.startsWith('system.')) return;
    const atMs = Date.parse(time);
    const step = type === 'security.clock-stepped' ? parseRecord(bytes)?.['step_ms'] : undefined;
    const backMs = this.#lastMs - atMs;
    this.#lastMs = atMs;
    if (step === undefined && !(backMs >= backMsMin)) return;
    const message =
      step === undefined
        ? `the time goes back by ${String(backMs / 1_000)} s`
        : `the clock of the process stepped by ${String(Number(step) / 1_000)} s`;
    if (this.notices.length < problemsMax)
      this.notices.push({ segment: this.segment, line: number, sequence: seq, kind: 'clock', message });
  }

  finish(): void {
    const last = this.expected?.seq ?? 0;
    const anchor = this.#anchor;
    if (anchor !== null && anchor.seq > last) {
      this.report(
        'truncated',
        { line: 0, seq: last + 1 },
        `the last checkpoint counts ${String(anchor.seq)} records, the log ends at ${String(last)}`,
      );
    }
    // One checkpoint may be durable a moment before the file that repeats it.
    if (anchor === null && this.#checkpoints > 1)
      this.report('missing-checkpoint', { line: 0, seq: null }, 'checkpoint.json is gone or unreadable');
  }

  #altered(link: Link, number: number): void {
    const sequence = this.expected === null ? link.seq : this.expected.seq + 1 + this.#unreadable;
    this.report('altered', { line: number, seq: sequence }, 'the bytes of the record do not give its hash');
    this.expected = { seq: sequence, hash: link.hash };
  }

  #place(link: Link, number: number): void {
    const { seq, prev } = link;
    const { expected } = this;
    const anchor = this.#anchor;
    if (anchor?.seq === seq && anchor.hash !== link.hash) {
      this.report('rewritten', { line: number, seq }, 'the record differs from the one that the last checkpoint names');
    }
    if (expected !== null && prev !== expected.hash) {
      const wanted = expected.seq + 1 + this.#unreadable;
      if (seq <= expected.seq) {
        this.report(
          'misplaced',
          { line: number, seq },
          `record ${String(seq)} stands behind record ${String(expected.seq)}`,
        );
        return;
      }
      if (seq > wanted)
        this.report(
          'missing',
          { line: number, seq: wanted },
          `records ${String(wanted)} to ${String(seq - 1)} are missing`,
        );
      else if (this.#unreadable === 0)
        this.report(
          'broken-chain',
          { line: number, seq },
          'the record names another hash than that of the record before',
        );
    } else if (expected !== null && seq !== expected.seq + 1) {
      this.report('misplaced', { line: number, seq }, `record ${String(expected.seq + 1)} was to stand here`);
    }
    this.expected = { seq, hash: link.hash };
  }

  #own(link: Link, bytes: Buffer, { number, last }: { number: number; last: Head | null }): void {
    const isHeader = link.type === 'system.segment-started';
    if (isHeader !== (number === 1)) {
      this.report(
        'header',
        { line: number, seq: link.seq },
        isHeader ? 'a segment header inside a segment' : 'the segment does not begin with its header',
      );
      return;
    }
    if (isHeader) {
      const { segment, previous } = headerOf(bytes);
      if (segment !== this.segment)
        this.report('header', { line: number, seq: link.seq }, `the header is that of ${String(segment)}`);
      const stated = previous ?? genesis;
      const isNext = last === null || (stated.seq === last.seq && stated.hash === last.hash);
      if (!isNext && link.prev === last.hash)
        this.report('header', { line: number, seq: link.seq }, 'the header names another record than the last one');
    } else if (link.type === 'system.checkpoint') {
      this.#checkpoints += 1;
      const count = parseRecord(bytes)?.['count'];
      if (count !== link.seq)
        this.report('checkpoint', { line: number, seq: link.seq }, `the checkpoint counts ${String(count)} records`);
    }
  }
}
