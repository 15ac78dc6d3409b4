import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { genesis, parseRecord, readLink, type Head, type Link } from './chain.js';
import { listSegments, systemDisk, type SegmentName } from './disk.js';
import type { Former } from './entries.js';
import { eachLine, type Line } from './lines.js';

/** What one segment holds, as far as going on with it needs. */
interface Scan {
  readonly segment: SegmentName;
  /** Last record of the part that verifies; null when there is none. */
  last: Link | null;
  /** End of that part. */
  goodBytes: number;
  /** Line of the first record that does not verify; 0 when all do. */
  badLine: number;
  /** Last intact record behind a bad one: then this is no torn tail. */
  beyond: Link | null;
  readonly opened: Set<string>;
  readonly closed: Set<string>;
  /** How many open requests the header announced, and how many were listed. */
  announced: number;
  listed: number;
  isClosed: boolean;
}

const idPattern = /,"id":"([A-Za-z0-9_-]{1,64})"/;
const idWithin = 400;

function note(scan: Scan, link: Link, bytes: Buffer): void {
  scan.isClosed = false;
  if (link.type.startsWith('system.')) {
    noteSystem(scan, link, parseRecord(bytes) ?? {});
    return;
  }
  const isOpening = link.type === 'authorization.allowed' || link.type === 'authorization.would-deny';
  if (!isOpening && !link.type.startsWith('memory.')) return;
  const id = idPattern.exec(bytes.toString('latin1', 0, idWithin))?.[1];
  if (id === undefined) return;
  if (isOpening) scan.opened.add(id);
  else if (!scan.opened.delete(id)) scan.closed.add(id);
}

const strings = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];

function noteSystem(scan: Scan, link: Link, record: Record<string, unknown>): void {
  if (link.type === 'system.checkpoint') scan.isClosed = record['reason'] === 'close';
  else if (link.type === 'system.segment-started') scan.announced = Number(record['open'] ?? 0);
  else if (link.type === 'system.requests-open') {
    const ids = strings(record['ids']);
    scan.listed += ids.length;
    for (const id of ids) scan.opened.add(id);
  } else if (link.type === 'system.recovered') {
    for (const id of strings(record['unfinished'])) if (!scan.opened.delete(id)) scan.closed.add(id);
  }
}

function take(scan: Scan, line: Line, number: number): void {
  const link = line.isComplete ? readLink(line.bytes) : null;
  const { last } = scan;
  const follows = last === null || (link?.prev === last.hash && link.seq === last.seq + 1);
  if (link?.intact !== true || !follows || scan.badLine > 0) {
    if (scan.badLine === 0) scan.badLine = number;
    if (link?.intact === true) scan.beyond = link;
    return;
  }
  scan.last = link;
  scan.goodBytes = line.offset + line.bytes.length + 1;
  note(scan, link, line.bytes);
}

async function scanSegment(dir: string, segment: SegmentName): Promise<Scan> {
  const sets = { opened: new Set<string>(), closed: new Set<string>() };
  const scan: Scan = {
    segment,
    last: null,
    goodBytes: 0,
    badLine: 0,
    beyond: null,
    ...sets,
    announced: 0,
    listed: 0,
    isClosed: false,
  };
  let number = 0;
  await eachLine(join(dir, segment.name), {}, (line) => take(scan, line, (number += 1)));
  return scan;
}

/** What the newest segment says about the process before this one. */
export interface Recovered {
  readonly head: Head;
  readonly current: { readonly number: number; readonly bytes: number } | null;
  readonly lastNumber: number;
  readonly former: Former | null;
  readonly totalBytes: number;
  readonly tornBytes: number;
  /** Set when the segment was changed rather than torn: what is wrong with it. */
  readonly damage: { readonly segment: string; readonly line: number; readonly kind: 'altered' | 'truncated' } | null;
  /** Ids of admitted requests without an outcome. */
  readonly unfinished: readonly string[];
  readonly isClean: boolean;
}

/** The last checkpoint, kept beside the segments. */
export async function readAnchor(dir: string): Promise<Head | null> {
  const text = await readFile(join(dir, 'checkpoint.json')).catch(() => null);
  const value = text === null ? null : parseRecord(text);
  const { seq, hash } = value ?? {};
  return Number.isSafeInteger(seq) && typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash)
    ? { seq: seq as number, hash }
    : null;
}

/** Reads the newest segments, cuts a torn tail off, and says where the log goes on. A changed segment is left as it is. */
export async function recover(dir: string): Promise<Recovered> {
  const segments = await listSegments(dir);
  const scans: Scan[] = [];
  let tornBytes = 0;
  let last: Scan | null = null;
  for (let i = segments.length - 1; i >= 0; i -= 1) {
    const segment = segments[i];
    if (segment === undefined) break;
    const scan = await scanSegment(dir, segment);
    scans.unshift(scan);
    if (last === null && scan.beyond === null && scan.goodBytes < segment.bytes) {
      tornBytes += segment.bytes - scan.goodBytes;
      await cut(dir, scan);
    }
    if (scan.last !== null || scan.beyond !== null) last ??= scan;
    if (scan.last !== null && scan.listed >= scan.announced) break;
  }
  return conclude(dir, { last, scans, tornBytes });
}

async function cut(dir: string, { segment, goodBytes }: Scan): Promise<void> {
  const path = join(dir, segment.name);
  if (goodBytes === 0) {
    await systemDisk.remove(path);
    await systemDisk.syncDirectory(dir);
    return;
  }
  const file = await systemDisk.reopen(path);
  try {
    await file.truncate(goodBytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function conclude(
  dir: string,
  { last, scans, tornBytes }: { last: Scan | null; scans: readonly Scan[]; tornBytes: number },
): Promise<Recovered> {
  const anchor = await readAnchor(dir);
  const end = last?.beyond ?? last?.last ?? genesis;
  const isBehind = anchor !== null && anchor.seq > end.seq;
  const name = last?.segment.name ?? '';
  const damage = isBehind
    ? ({ segment: name, line: 0, kind: 'truncated' } as const)
    : last !== null && last.beyond !== null
      ? ({ segment: name, line: last.badLine, kind: 'altered' } as const)
      : null;
  const bytes = last?.beyond !== null ? (last?.segment.bytes ?? 0) : last.goodBytes;
  // Behind its own checkpoint the log goes on from that, so that the hole stays visible for ever.
  const head = isBehind ? anchor : { seq: end.seq, hash: end.hash };
  return {
    head,
    damage,
    tornBytes,
    current: last === null || damage !== null ? null : { number: last.segment.number, bytes },
    lastNumber: last?.segment.number ?? 0,
    former: last === null ? null : { segment: name, bytes },
    totalBytes: await systemDisk.segmentBytes(dir),
    unfinished: unfinished(scans),
    isClean: last === null ? tornBytes === 0 && damage === null : last.isClosed && tornBytes === 0 && damage === null,
  };
}

function unfinished(scans: readonly Scan[]): readonly string[] {
  const open = new Set<string>();
  for (const { opened, closed } of scans) {
    for (const id of closed) open.delete(id);
    for (const id of opened) open.add(id);
  }
  return [...open];
}
