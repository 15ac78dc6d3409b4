import type { AuditEvent, JsonValue } from '../model/audit.js';
import { genesis, sealBytes, type Head, type Lines } from './chain.js';
import type { AuditEventType } from './events.js';
import { auditEventTypes } from './events.js';
import { eventBody } from './render.js';

/** A record on its way: rendered, not yet numbered. Number and hash are given when its batch is written. */
export interface Entry {
  readonly event: AuditEvent;
  readonly body: string;
  readonly bytes: number;
  /** Whoever waits for the disk; null for a record that nobody waits for. */
  readonly waiter: Waiter | null;
  /** Takes the record back where losing it would lose what it counts. */
  readonly restore: (() => void) | null;
}

export interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

export function entryOf(event: AuditEvent, waiter: Waiter | null = null, restore: (() => void) | null = null): Entry {
  const body = eventBody(event);
  return { event, body, bytes: body.length + sealBytes, waiter, restore };
}

/** An event of the log itself, with the usual severity of its type. */
export const ownEvent = (
  type: AuditEventType,
  atMs: number,
  fields: Readonly<Record<string, JsonValue>>,
): AuditEvent => ({
  type,
  severity: auditEventTypes[type].severity,
  atMs,
  fields,
});

/** Why a segment begins. Verification treats `failure` (bytes behind the last durable record may remain) apart. */
export type SegmentReason = 'start' | 'rotation' | 'failure' | 'replaced' | 'damaged';

/** The segment before, as its successor names it. */
export interface Former {
  readonly segment: string;
  /** Bytes up to the end of its last durable record. */
  readonly bytes: number;
}

// Ids of 26 characters: so many keep a record within its limit.
const idsPerRecord = 200;

/** The first records of a segment: its header, and the requests that still owe an outcome. */
export function openingEvents(
  facts: { name: string; reason: SegmentReason; former: Former | null; head: Head; open: ReadonlySet<string> },
  atMs: number,
): readonly AuditEvent[] {
  const { name, reason, former, head, open } = facts;
  const isFirst = former === null && head.seq === genesis.seq;
  const previous = isFirst
    ? null
    : { segment: former?.segment ?? null, bytes: former?.bytes ?? 0, seq: head.seq, hash: head.hash };
  const header = ownEvent('system.segment-started', atMs, {
    format: 1,
    segment: name,
    reason,
    previous,
    open: open.size,
  });
  return [header, ...chunks([...open]).map((ids) => ownEvent('system.requests-open', atMs, { ids }))];
}

/** What the next start says about requests that were admitted and have no outcome. */
export function recoveryEvents(
  facts: { segment: string; tornBytes: number; head: Head; unfinished: readonly string[] },
  atMs: number,
): readonly AuditEvent[] {
  const parts = facts.unfinished.length === 0 ? [[]] : chunks(facts.unfinished);
  return parts.map((ids, i) =>
    ownEvent('system.recovered', atMs, {
      segment: facts.segment,
      torn_bytes: facts.tornBytes,
      last_seq: facts.head.seq,
      unfinished_count: facts.unfinished.length,
      part: i + 1,
      parts: parts.length,
      unfinished: ids,
    }),
  );
}

function chunks(ids: readonly string[]): (readonly string[])[] {
  const lists: (readonly string[])[] = [];
  for (let i = 0; i < ids.length; i += idsPerRecord) lists.push(ids.slice(i, i + idsPerRecord));
  return lists;
}

/** Lines of one batch, sealed onto a head; nothing of it counts before it is durable. */
export class Draft {
  head: Head;
  records = 0;
  readonly #lines: Lines;

  /** @param lines cleared here: a log makes one batch at a time */
  constructor(head: Head, lines: Lines) {
    this.head = head;
    this.#lines = lines;
    lines.clear();
  }

  get bytes(): Buffer {
    return this.#lines.written;
  }

  add(atMs: number, body: string): void {
    this.head = this.#lines.seal(this.head, atMs, body);
    this.records += 1;
  }

  addEvent(event: AuditEvent): void {
    this.add(event.atMs, eventBody(event));
  }
}
