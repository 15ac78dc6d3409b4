import { join } from 'node:path';
import { genesis, parseRecord, readLink } from './chain.js';
import { Checker, headerOf, type AuditProblem, type Header } from './checker.js';
import { listSegments, type SegmentName } from './disk.js';
import { eachLine } from './lines.js';
import { lockHolder } from './lock.js';
import { readAnchor } from './recover.js';

export interface AuditVerdict {
  readonly ok: boolean;
  readonly records: number;
  readonly segments: number;
  readonly lastSequence: number;
  readonly problems: readonly AuditProblem[];
  /** Where times are not to be believed; the chain holds all the same. */
  readonly notices: readonly AuditProblem[];
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
export async function limitOf(dir: string, next: SegmentName | undefined): Promise<number> {
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
        { line: 0, seq: null },
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
  const { problems, notices, records, expected } = checker;
  const ok = problems.length === 0;
  return { ok, records, segments: segments.length, lastSequence: expected.seq, problems, notices };
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
