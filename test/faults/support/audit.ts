import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { readAuditTail } from '../../../src/record/record.js';
import type { Arrival } from './recorder.js';

export type AuditRecord = Readonly<Record<string, unknown>>;

/** Every record of the log that belongs to its chain, the oldest first. */
export const allRecords = (dir: string): Promise<readonly AuditRecord[]> => readAuditTail(dir, 1_000_000);

const isAllow = (record: AuditRecord): boolean => record['type'] === 'authorization.allowed';
// Requests of operators end in the gateway itself.
const isOperators = (record: AuditRecord): boolean => String(record['route']).startsWith('admin.');

export interface Joined {
  readonly allows: number;
  readonly arrivals: number;
  readonly notForwarded: number;
  readonly recovered: number;
  /** What breaks the promise; empty when it holds. */
  readonly problems: readonly string[];
}

/**
 * Holds what the memory server received against what the log says: every request has one earlier allow record, and every
 * allow record has a request, an outcome `not_forwarded`, or the recovery line of a later start.
 */
export function joinRecords(records: readonly AuditRecord[], arrivals: readonly Arrival[]): Joined {
  const allows = new Map<string, AuditRecord>();
  const notForwarded = new Set<string>();
  const recovered = new Set<string>();
  const problems: string[] = [];
  for (const record of records) {
    const id = String(record['id']);
    if (isAllow(record) && !isOperators(record)) {
      if (allows.has(id)) problems.push(`${id} has two allow records`);
      allows.set(id, record);
    } else if (String(record['type']).startsWith('memory.') && record['not_forwarded'] !== null) notForwarded.add(id);
    else if (record['type'] === 'system.recovered')
      for (const each of record['unfinished'] as string[]) recovered.add(each);
  }
  const arrived = new Set<string>();
  for (const { id, atMs } of arrivals) {
    const allow = allows.get(id);
    if (arrived.has(id)) problems.push(`${id} went upstream twice`);
    arrived.add(id);
    if (allow === undefined) problems.push(`${id || 'a request without an id'} went upstream without an allow record`);
    else if (Date.parse(String(allow['time'])) > atMs) problems.push(`${id} went upstream before its allow record`);
    if (notForwarded.has(id)) problems.push(`${id} went upstream, and its outcome says not_forwarded`);
  }
  for (const id of allows.keys()) {
    if (!arrived.has(id) && !notForwarded.has(id) && !recovered.has(id))
      problems.push(`${id} was allowed, and nothing tells what became of it`);
  }
  return {
    allows: allows.size,
    arrivals: arrived.size,
    notForwarded: notForwarded.size,
    recovered: recovered.size,
    problems,
  };
}

const allowLine = /"type":"authorization\.allowed",[^\n]{0,200}?"id":"([A-Za-z0-9_-]+)"[^\n]*\n/g;

/** Reads what was appended to the log since it was last asked: what is on file at this very moment. */
export class AuditWatch {
  readonly #dir: string;
  readonly #seen = new Map<string, { offset: number; rest: string }>();
  readonly #ids = new Set<string>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** True when the log holds the whole allow record of a request now. */
  has(id: string): boolean {
    if (!this.#ids.has(id)) this.#read();
    return this.#ids.has(id);
  }

  #read(): void {
    for (const name of readdirSync(this.#dir).filter((each) => each.endsWith('.jsonl'))) {
      const seen = this.#seen.get(name) ?? { offset: 0, rest: '' };
      const buffer = Buffer.alloc(1_048_576);
      const file = openSync(join(this.#dir, name), 'r');
      const bytes = readSync(file, buffer, 0, buffer.length, seen.offset);
      closeSync(file);
      const text = seen.rest + buffer.toString('latin1', 0, bytes);
      for (const [, id = ''] of text.matchAll(allowLine)) this.#ids.add(id);
      this.#seen.set(name, { offset: seen.offset + bytes, rest: text.slice(text.lastIndexOf('\n') + 1) });
    }
  }
}
