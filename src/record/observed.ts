import { join } from 'node:path';
import { parseRecord } from './chain.js';
import { listSegments } from './disk.js';
import { eachLine } from './lines.js';

/** Requests of one caller that passed because they were only observed, and would be refused for one reason. */
export interface ObservedCaller {
  readonly clientAddress: string;
  readonly userAgent: string | null;
  /** Id of the key or token; null without a good one. */
  readonly subject: string | null;
  /** Null for a path that is no route. */
  readonly route: string | null;
  readonly code: string;
  /** What of it: `absent` for no credential, the reasons of the policy. */
  readonly reason: string;
  count: number;
  /** ISO 8601. */
  firstSeen: string;
  lastSeen: string;
  /** Id of the last such request. */
  lastId: string;
}

export interface ObservedReport {
  /** Those who would be refused, most requests first. */
  readonly callers: readonly ObservedCaller[];
  /** Requests of callers for which there was no room in this list. */
  readonly others: number;
  /** Requests that would be refused, without those that were only counted. */
  readonly wouldDeny: number;
  /** Observed requests that enforce would let pass. */
  readonly wouldAllow: number;
  /** Records that were counted by code only, refusals among them: `audit.refusals_per_second` was too small for them. */
  readonly folded: number;
  readonly segments: number;
}

/** Rows that are told apart: a scanner with a new name for every request must not fill the memory. */
const callersMax = 10_000;
/** `seq`, `time`, `prev` and `type` stand first in every line, and take no more than this. */
const headBytes = 240;
const headForm = /^\{"seq":\d+,"time":"([^"]{20,27})","prev":"[0-9a-f]{64}","type":"([^"]{1,64})"/;

interface LineHead {
  readonly time: string;
  readonly type: string;
}

function headOf(bytes: Buffer): LineHead | null {
  const found = headForm.exec(bytes.toString('latin1', 0, headBytes));
  return found === null ? null : { time: found[1] ?? '', type: found[2] ?? '' };
}

/** Reads what was only observed from a log, also beside the process that writes it, in bounded memory. */
export async function readObserved(dir: string, sinceMs: number): Promise<ObservedReport> {
  const since = new Date(sinceMs).toISOString();
  const tally = new Tally(since);
  const segments = await listSegments(dir);
  let read = 0;
  for (const [i, { name }] of segments.entries()) {
    const next = segments[i + 1];
    const nextTime = next === undefined ? null : await firstTime(join(dir, next.name));
    if (nextTime !== null && nextTime < since) continue; // everything in it is older
    read += 1;
    await eachLine(join(dir, name), {}, ({ bytes, isComplete }) => {
      if (isComplete) tally.line(bytes);
    });
  }
  return tally.report(read);
}

const firstLineBytes = 16_384;

async function firstTime(path: string): Promise<string | null> {
  const found: { time: string | null } = { time: null };
  await eachLine(path, { limit: firstLineBytes }, ({ bytes, isComplete }) => {
    if (isComplete) found.time ??= headOf(bytes)?.time ?? null;
  });
  return found.time;
}

class Tally {
  readonly #since: string;
  readonly #callers = new Map<string, ObservedCaller>();
  #others = 0;
  #wouldDeny = 0;
  #wouldAllow = 0;
  #folded = 0;

  constructor(since: string) {
    this.#since = since;
  }

  line(bytes: Buffer): void {
    const head = headOf(bytes);
    if (head === null || head.time < this.#since) return;
    if (head.type === 'authorization.would-deny') this.#denied(head.time, parseRecord(bytes));
    // Within a text every quotation mark is escaped, so that this stands for the member itself.
    else if (head.type === 'authorization.allowed' && bytes.includes('"enforcement":"observe"')) this.#wouldAllow += 1;
    else if (head.type === 'security.refusals-folded') this.#folded += numberOf(parseRecord(bytes)?.['count']);
  }

  report(segments: number): ObservedReport {
    const callers = [...this.#callers.values()].sort((a, b) => b.count - a.count || (a.lastSeen < b.lastSeen ? 1 : -1));
    return {
      callers,
      others: this.#others,
      wouldDeny: this.#wouldDeny,
      wouldAllow: this.#wouldAllow,
      folded: this.#folded,
      segments,
    };
  }

  #denied(time: string, record: Readonly<Record<string, unknown>> | null): void {
    if (record === null) return;
    this.#wouldDeny += 1;
    const caller = callerOf(record, time);
    const { clientAddress, userAgent, subject, route, code, reason } = caller;
    const key = JSON.stringify([clientAddress, userAgent, subject, route, code, reason]);
    const known = this.#callers.get(key);
    if (known !== undefined) {
      known.count += 1;
      known.lastSeen = time;
      known.lastId = caller.lastId;
    } else if (this.#callers.size < callersMax) this.#callers.set(key, caller);
    else this.#others += 1;
  }
}

const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0);
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);

function callerOf(record: Readonly<Record<string, unknown>>, time: string): ObservedCaller {
  const { subject, reasons } = record;
  const id = typeof subject === 'object' && subject !== null && 'id' in subject ? textOf(subject.id) : null;
  const code = textOf(record['code']) ?? 'unknown';
  return {
    clientAddress: textOf(record['client_address']) ?? 'unknown',
    userAgent: textOf(record['user_agent']),
    subject: id,
    route: textOf(record['route']),
    code,
    reason: reasonOf(code, textOf(record['detail']), Array.isArray(reasons) ? reasons.filter(isText) : []),
    count: 1,
    firstSeen: time,
    lastSeen: time,
    lastId: textOf(record['id']) ?? '',
  };
}

const isText = (value: unknown): value is string => typeof value === 'string';

/** A detail may hold what only one request had: of the credential's only the cause is taken, of others the policy's reasons. */
function reasonOf(code: string, detail: string | null, reasons: readonly string[]): string {
  if (code === 'identify.unauthenticated') return (detail ?? '').replace(/^key [^:]*: /, '');
  return reasons.join(', ');
}
