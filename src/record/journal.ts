import { join } from 'node:path';
import { messageOf, type Logger } from '../base/log.js';
import type { Clock } from '../base/clock.js';
import type { AuditEvent } from '../model/audit.js';
import { Lines, type Head } from './chain.js';
import { Checkpoints } from './checkpoints.js';
import { segmentName, type Disk } from './disk.js';
import { Draft, openingEvents, ownEvent, type Entry, type Former, type SegmentReason } from './entries.js';
import { Losses } from './losses.js';
import { Segment } from './segment.js';

export interface JournalOptions {
  readonly dir: string;
  readonly segmentBytes: number;
  readonly maxBytes: number;
}

export interface JournalPorts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Where a journal goes on. */
export interface JournalStart {
  readonly head: Head;
  /** The newest segment, when it can be continued. */
  readonly current: { readonly number: number; readonly bytes: number } | null;
  readonly lastNumber: number;
  readonly former: Former | null;
  readonly reason: SegmentReason;
  readonly totalBytes: number;
  /** Records that the log owes about its own past; they go out with the first batch. */
  readonly owed: readonly AuditEvent[];
}

/** The log has reached its size: nothing was written, nothing is broken. */
export class LogFull extends Error {}

const watchEveryMs = 1_000;

/** Numbers, chains and writes batches, one after the other; begins new segments; keeps what it owes. */
export class Journal {
  readonly #options: JournalOptions;
  readonly #ports: JournalPorts;
  readonly #checkpoints: Checkpoints;
  /** What could not be written; the next batch tells. */
  readonly losses = new Losses();
  readonly #owed: AuditEvent[];
  /** Requests that were admitted and owe an outcome. */
  readonly #open = new Set<string>();
  readonly #lines = new Lines();
  #head: Head;
  #total: number;
  #segment: Segment | null = null;
  #former: Former | null;
  #reason: SegmentReason;
  #lastNumber: number;
  #isFull = false;
  #watchAt = 0;

  private constructor(options: JournalOptions, ports: JournalPorts, start: JournalStart) {
    this.#options = options;
    this.#ports = ports;
    this.#checkpoints = new Checkpoints(options.dir, ports);
    this.#head = start.head;
    this.#total = start.totalBytes;
    this.#former = start.former;
    this.#reason = start.reason;
    this.#lastNumber = start.lastNumber;
    this.#owed = [...start.owed];
  }

  static async start(options: JournalOptions, ports: JournalPorts, start: JournalStart): Promise<Journal> {
    const journal = new Journal(options, ports, start);
    if (start.current !== null) journal.#segment = await Segment.reopen(options.dir, start.current, ports);
    return journal;
  }

  get head(): Head {
    return this.#head;
  }

  get totalBytes(): number {
    return this.#total;
  }

  get isCheckpointDue(): boolean {
    return this.#checkpoints.isDue;
  }

  /** Looks at the directory again: an operator may have moved old segments away. */
  async recount(): Promise<void> {
    const { dir, maxBytes } = this.#options;
    this.#total = await this.#ports.disk.segmentBytes(dir);
    if (this.#total <= maxBytes - maxBytes / 16) this.#isFull = false;
  }

  /** Returns when the batch is on disk. Otherwise throws, and the log stands where it stood before. */
  async write(entries: readonly Entry[]): Promise<void> {
    await this.#watch();
    const size = entries.reduce((sum, { bytes }) => sum + bytes, 0);
    if (this.#segment !== null && this.#segment.bytes + size > this.#options.segmentBytes)
      await this.#finish('rotation');
    const draft = await this.#begin();
    const owed = this.#owed.length;
    for (const event of this.#owed) draft.addEvent(event);
    const losses = this.losses.report(this.#ports.clock.nowMs());
    if (losses !== null) draft.addEvent(losses.event);
    for (const { event, body } of entries) draft.add(event.atMs, body);
    const isCheckpoint = this.#checkpoints.isDue;
    if (isCheckpoint) draft.addEvent(this.#checkpoints.event(draft.head, 'interval'));
    await this.#put(draft);
    this.#owed.splice(0, owed);
    losses?.settle();
    for (const { event } of entries) this.#track(event);
    if (isCheckpoint) this.#checkpoints.told(this.#head, segmentName(this.#lastNumber));
  }

  /** The last batch: a checkpoint that says that the log was closed in order. */
  async close(): Promise<void> {
    try {
      if (this.#segment !== null) await this.#finish('close');
    } catch (error) {
      this.#ports.log.warn('audit.close-failed', { reason: messageOf(error) });
      await this.#leave('failure');
    }
    await this.#checkpoints.settled();
  }

  async #begin(): Promise<Draft> {
    const draft = new Draft(this.#head, this.#lines);
    if (this.#segment !== null) return draft;
    const { disk, clock } = this.#ports;
    // A file of that name is not ours: it is left alone for verification to find.
    while ((await disk.inodeOf(join(this.#options.dir, segmentName(this.#lastNumber + 1)))) !== null)
      this.#lastNumber += 1;
    const facts = { name: segmentName(this.#lastNumber + 1), reason: this.#reason, former: this.#former };
    for (const event of openingEvents({ ...facts, head: this.#head, open: this.#open }, clock.nowMs()))
      draft.addEvent(event);
    return draft;
  }

  async #put(draft: Draft): Promise<void> {
    if (draft.records === 0) return;
    const { bytes } = draft;
    if (this.#isFull || this.#total + bytes.length > this.#options.maxBytes) {
      this.#isFull = true; // until there is room for more than one more record
      throw new LogFull('audit.max_bytes is reached');
    }
    const segment = this.#segment ?? (await Segment.create(this.#options.dir, this.#lastNumber + 1, this.#ports));
    try {
      await segment.append(bytes);
    } catch (error) {
      await segment.abandon();
      if (this.#segment !== null) await this.#leave('failure');
      throw error;
    }
    this.#segment = segment;
    this.#lastNumber = segment.number;
    this.#total += bytes.length;
    this.#head = draft.head;
    this.#checkpoints.count(draft.records);
  }

  async #leave(reason: SegmentReason): Promise<void> {
    const segment = this.#segment;
    if (segment === null) return;
    this.#former = segment.asFormer;
    this.#reason = reason;
    this.#segment = null;
    await segment.close();
  }

  async #finish(reason: 'rotation' | 'close'): Promise<void> {
    const draft = new Draft(this.#head, this.#lines);
    draft.addEvent(this.#checkpoints.event(draft.head, reason));
    await this.#put(draft);
    this.#checkpoints.told(this.#head, segmentName(this.#lastNumber));
    await this.#leave('rotation');
  }

  async #watch(): Promise<void> {
    const now = this.#ports.clock.monotonicMs();
    if (this.#segment === null || now < this.#watchAt) return;
    this.#watchAt = now + watchEveryMs;
    const found = await this.#segment.change();
    if (found === null) return;
    const facts = { segment: this.#segment.name, ...found, bytes_written: this.#segment.bytes };
    this.#ports.log.error('audit.file-changed', facts);
    this.#owed.push(ownEvent('security.audit-file-changed', this.#ports.clock.nowMs(), facts));
    await this.#leave('replaced');
    await this.recount();
  }

  #track(event: AuditEvent): void {
    if (event.opens !== undefined) this.#open.add(event.opens);
    if (event.closes !== undefined) this.#open.delete(event.closes);
  }
}
