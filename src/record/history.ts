import { join } from 'node:path';
import { decisionTimeMs } from '../base/ids.js';
import { parseRecord, readLink } from './chain.js';
import { listSegments, type SegmentName } from './disk.js';
import { eachLine, type Line } from './lines.js';
import { limitOf } from './verify.js';

/** One record of the past, as it was sealed. */
export interface PastRecord {
  readonly type: string;
  /** Unix time in ms. */
  readonly atMs: number;
  /** Its members; parsed at the first call. */
  fields(): Readonly<Record<string, unknown>>;
}

export interface HistoryRange {
  /** Records before this time are left out; Unix time in ms. */
  readonly fromMs?: number;
  /** Asked before each read; true ends the reading. */
  readonly isDone?: () => boolean;
}

/** What was read. */
export interface HistoryFacts {
  readonly segments: number;
  /** Records that were handed over. */
  readonly records: number;
  /** Lines that are no records, or whose bytes do not give their hash: nothing of them is believed. */
  readonly damaged: number;
  /** Time of the first and the last record that was handed over; null when there was none. */
  readonly firstMs: number | null;
  readonly lastMs: number | null;
}

/** A batch may be written a moment after its records were made, and a segment's own header before them. */
const slackMs = 60_000;

interface Span extends SegmentName {
  readonly startMs: number;
  readonly endMs: number;
  readonly limit: number;
}

/** The segments with the times that their headers, and those of their successors, state. */
async function spansOf(dir: string): Promise<readonly Span[]> {
  const segments = await listSegments(dir);
  const starts: number[] = [];
  for (const segment of segments) starts.push(await startOf(join(dir, segment.name)));
  const spans: Span[] = [];
  for (const [i, segment] of segments.entries()) {
    const limit = Math.min(segment.bytes, await limitOf(dir, segments[i + 1]));
    spans.push({ ...segment, startMs: starts[i] ?? -Infinity, endMs: starts[i + 1] ?? Infinity, limit });
  }
  return spans;
}

const headerBytesMax = 16_384;

async function startOf(path: string): Promise<number> {
  let startMs = -Infinity;
  await eachLine(path, { limit: headerBytesMax }, ({ bytes, isComplete, offset }) => {
    const link = offset === 0 && isComplete ? readLink(bytes) : null;
    if (link !== null) startMs = Date.parse(link.time);
  });
  return startMs;
}

/**
 * Reads the records of a log, oldest first, in bounded memory: segment by segment, a chunk at a time. Works beside a running process. Segments
 * that end before the range are not opened.
 */
export async function readHistory(
  dir: string,
  { fromMs = -Infinity, isDone = () => false }: HistoryRange,
  take: (record: PastRecord) => void,
): Promise<HistoryFacts> {
  const tally = { segments: 0, records: 0, damaged: 0, firstMs: null as number | null, lastMs: null as number | null };
  const line = ({ bytes, isComplete }: Line): void => {
    if (!isComplete || isDone()) return;
    const link = readLink(bytes);
    if (link?.intact !== true) {
      tally.damaged += 1;
      return;
    }
    const atMs = Date.parse(link.time);
    if (atMs < fromMs) return;
    tally.records += 1;
    tally.firstMs ??= atMs;
    tally.lastMs = atMs;
    take({ type: link.type, atMs, fields: once(bytes) });
  };
  for (const { name, endMs, limit } of await spansOf(dir)) {
    if (isDone() || endMs + slackMs < fromMs) continue;
    tally.segments += 1;
    await eachLine(join(dir, name), { limit, isDone }, line);
  }
  return tally;
}

function once(bytes: Buffer): () => Readonly<Record<string, unknown>> {
  let fields: Readonly<Record<string, unknown>> | null = null;
  return () => (fields ??= parseRecord(bytes) ?? {});
}

/** A body may take its time before the request is decided. */
const decidedWithinMs = 3_600_000;

/**
 * The decision record of this id, or null. Ids are ordered by time, so that only the segments of its hour are read.
 *
 * @param dir directory of the log; a process may be writing it
 */
export async function findDecision(dir: string, id: string): Promise<Readonly<Record<string, unknown>> | null> {
  const atMs = decisionTimeMs(id);
  if (atMs === null) return null;
  const mark = Buffer.from(`"id":"${id}"`); // no text from outside can hold it: its quotes are escaped
  const search = { found: null as Readonly<Record<string, unknown>> | null };
  const isDone = (): boolean => search.found !== null;
  for (const { name, startMs, endMs, limit } of await spansOf(dir)) {
    if (isDone() || endMs + slackMs < atMs || startMs > atMs + decidedWithinMs) continue;
    await eachLine(join(dir, name), { limit, isDone }, ({ bytes, isComplete }) => {
      if (isComplete && !isDone() && bytes.includes(mark)) search.found = decisionIn(bytes, id);
    });
  }
  return search.found;
}

function decisionIn(bytes: Buffer, id: string): Readonly<Record<string, unknown>> | null {
  const record = readLink(bytes)?.intact === true ? parseRecord(bytes) : null;
  return record?.['id'] === id && typeof record['effect'] === 'string' ? record : null;
}

/** Half a gigabyte of segments of the usual size. */
const lookBackSegments = 8;
const begins: ReadonlySet<unknown> = new Set(['system.started', 'config.reloaded', 'config.rolled-back']);

/**
 * Revision of the policy of a generation, as the record of its beginning says; null where that is too far back.
 *
 * @param beforeMs a time at which it was in force, in Unix ms
 */
export async function findRevision(dir: string, generation: string, beforeMs: number): Promise<string | null> {
  const mark = Buffer.from('"policy_revision":"');
  const search = { found: null as string | null };
  const spans = (await spansOf(dir)).filter(({ startMs }) => startMs <= beforeMs + slackMs).slice(-lookBackSegments);
  for (const { name, limit } of spans.reverse()) {
    if (search.found !== null) break;
    await eachLine(join(dir, name), { limit }, ({ bytes, isComplete }) => {
      if (isComplete && bytes.includes(mark)) search.found = revisionIn(bytes, generation) ?? search.found;
    });
  }
  return search.found;
}

function revisionIn(bytes: Buffer, generation: string): string | null {
  const record = readLink(bytes)?.intact === true ? parseRecord(bytes) : null;
  const { type, generation: named, policy_revision: revision } = record ?? {};
  return begins.has(type) && named === generation && typeof revision === 'string' ? revision : null;
}
