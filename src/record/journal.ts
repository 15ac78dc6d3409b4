import { join } from 'node:path';
import { messageOf, type Logger } from '../base/log.js';
import type { Clock } from '../base/clock.js';
import type { AuditEvent } from '../model/audit.js';
import { isoTime, type Head } from './chain.js';
import { segmentName, type Disk, type SegmentFile } from './disk.js';
import { Draft, openingEvents, ownEvent, type Entry, type Former, type SegmentReason } from './entries.js';

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

interface Segment {
  readonly file: SegmentFile;
  readonly number: number;
  readonly inode: number;
  /** Up to here everything is durable. */
  bytes: number;
}

/** The log's file became too large: nothing was written, nothing is broken. */
export class LogFull extends Error {}

const watchEveryMs = 1_000;
const checkpointEveryMs = 10_000;
const checkpointEveryRecords = 10_000;

/** Numbers, chains and writes batches, one after the other; begins new segments; keeps what it owes. */
export class Journal {
  readonly #options: JournalOptions;
  readonly #ports: JournalPorts;
  readonly #open = new Set<string>();
  readonly #lost = new Map<string, number>();
  #owed: AuditEvent[];
  #head: Head;
  #total: number;
  #segment: Segment | null = null;
  #former: Former | null;
  #reason: SegmentReason;
  #lastNumber: number;
  #isFull = false;
  #watchAt = 0;
  #uncheckpointed = 0;
  #checkpointAt: number;
  #anchor: Promise<void> = Promise.resolve();

  private constructor(options: JournalOptions, ports: JournalPorts, start: JournalStart) {
    this.#options = options;
    this.#ports = ports;
    this.#head = start.head;
    this.#total = start.totalBytes;
    this.#former = start.former;
    this.#reason = start.reason;
    this.#lastNumber = start.lastNumber;
    this.#owed = [...start.owed];
    this.#checkpointAt = ports.clock.monotonicMs() + checkpointEveryMs;
  }

  static async start(options: JournalOptions, ports: JournalPorts, start: JournalStart): Promise<Journal> {
    const journal = new Journal(options, ports, start);
    if (start.current !== null) {
      const file = await ports.disk.reopen(journal.#path(start.current.number));
      journal.#segment = { file, inode: (await file.stat()).inode, ...start.current };
    }
    return journal;
  }

  get head(): Head {
    return this.#head;
  }

  get totalBytes(): number {
    return this.#total;
  }

  get isCheckpointDue(): boolean {
    if (this.#uncheckpointed === 0) return false;
    return this.#uncheckpointed >= checkpointEveryRecords || this.#ports.clock.monotonicMs() >= this.#checkpointAt;
  }

  get owes(): boolean {
    return this.#owed.length > 0 || this.#lost.size > 0;
  }

  /** Counts records that could not be written; the next batch tells. */
  lose(entries: readonly Entry[]): void {
    for (const { event, restore } of entries) {
      if (restore === null) this.#lost.set(event.type, (this.#lost.get(event.type) ?? 0) + 1);
      else restore();
    }
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
    const lost = new Map(this.#lost);
    if (lost.size > 0) draft.addEvent(this.#lostEvent(lost));
    for (const { event, body } of entries) draft.add(event.atMs, body);
    const isCheckpoint = this.isCheckpointDue;
    if (isCheckpoint) draft.addEvent(this.#checkpointEvent(draft, 'interval'));
    await this.#put(draft);
    this.#owed.splice(0, owed);
    for (const [type, count] of lost) this.#settle(type, count);
    for (const { event } of entries) this.#track(event);
    if (isCheckpoint) this.#anchored();
  }

  /** The last batch: a checkpoint that says that the log was closed in order. */
  async close(): Promise<void> {
    try {
      if (this.#segment !== null) await this.#finish('close');
    } catch (error) {
      this.#ports.log.warn('audit.close-failed', { reason: messageOf(error) });
      if (this.#segment !== null) await this.#leave(this.#segment, 'failure');
    }
    await this.#anchor;
  }

  #path(number: number): string {
    return join(this.#options.dir, segmentName(number));
  }

  async #begin(): Promise<Draft> {
    const draft = new Draft(this.#head);
    if (this.#segment !== null) return draft;
    // A file of that name is not ours: it is left alone for verification to find.
    while ((await this.#ports.disk.inodeOf(this.#path(this.#lastNumber + 1))) !== null) this.#lastNumber += 1;
    const facts = { name: segmentName(this.#lastNumber + 1), reason: this.#reason, former: this.#former };
    const events = openingEvents({ ...facts, head: this.#head, open: this.#open }, this.#ports.clock.nowMs());
    for (const event of events) draft.addEvent(event);
    return draft;
  }

  async #put(draft: Draft): Promise<void> {
    if (draft.records === 0) return;
    const bytes = Buffer.from(draft.text, 'utf8');
    if (this.#isFull || this.#total + bytes.length > this.#options.maxBytes) {
      this.#isFull = true; // until there is room for more than one more record
      throw new LogFull('audit.max_bytes is reached');
    }
    const isNew = this.#segment === null;
    const segment = this.#segment ?? (await this.#create());
    try {
      await segment.file.append(bytes);
      await segment.file.sync();
      if (isNew) await this.#ports.disk.syncDirectory(this.#options.dir);
    } catch (error) {
      await this.#abandon(segment);
      throw error;
    }
    segment.bytes += bytes.length;
    this.#total += bytes.length;
    this.#head = draft.head;
    this.#uncheckpointed += draft.records;
    if (isNew) {
      this.#segment = segment;
      this.#lastNumber = segment.number;
    }
  }

  async #create(): Promise<Segment> {
    const number = this.#lastNumber + 1;
    const file = await this.#ports.disk.create(this.#path(number));
    return { file, number, bytes: 0, inode: (await file.stat()).inode };
  }

  // What a failed batch left behind is cut off; it is never tried again in place, as the kernel may have dropped it.
  async #abandon(segment: Segment): Promise<void> {
    const ignore = (error: unknown): void => {
      this.#ports.log.warn('audit.cut-failed', { segment: segmentName(segment.number), reason: messageOf(error) });
    };
    if (segment.bytes === 0) {
      await segment.file.close().catch(ignore);
      await this.#ports.disk.remove(this.#path(segment.number)).catch(ignore);
      return;
    }
    await segment.file
      .truncate(segment.bytes)
      .then(() => segment.file.sync())
      .catch(ignore);
    await this.#leave(segment, 'failure');
  }

  async #leave(segment: Segment, reason: SegmentReason): Promise<void> {
    this.#former = { segment: segmentName(segment.number), bytes: segment.bytes };
    this.#reason = reason;
    this.#segment = null;
    await segment.file.close().catch(() => undefined);
  }

  async #finish(reason: 'rotation' | 'close'): Promise<void> {
    const draft = new Draft(this.#head);
    draft.addEvent(this.#checkpointEvent(draft, reason));
    await this.#put(draft);
    this.#anchored();
    if (this.#segment !== null) await this.#leave(this.#segment, 'rotation');
  }

  async #watch(): Promise<void> {
    const segment = this.#segment;
    const now = this.#ports.clock.monotonicMs();
    if (segment === null || now < this.#watchAt) return;
    this.#watchAt = now + watchEveryMs;
    const [found, inode] = await Promise.all([
      segment.file.stat(),
      this.#ports.disk.inodeOf(this.#path(segment.number)),
    ]);
    const what =
      found.links === 0 || inode === null
        ? 'removed'
        : inode !== segment.inode
          ? 'replaced'
          : found.bytes !== segment.bytes
            ? 'resized'
            : null;
    if (what === null) return;
    const facts = {
      segment: segmentName(segment.number),
      change: what,
      bytes: found.bytes,
      bytes_written: segment.bytes,
    };
    this.#ports.log.error('audit.file-changed', facts);
    this.#owed.push(ownEvent('security.audit-file-changed', this.#ports.clock.nowMs(), facts));
    await this.#leave(segment, 'replaced');
    await this.recount();
  }

  #track(event: AuditEvent): void {
    if (event.opens !== undefined) this.#open.add(event.opens);
    if (event.closes !== undefined) this.#open.delete(event.closes);
  }

  #settle(type: string, count: number): void {
    const rest = (this.#lost.get(type) ?? 0) - count;
    if (rest > 0) this.#lost.set(type, rest);
    else this.#lost.delete(type);
  }

  #lostEvent(lost: ReadonlyMap<string, number>): AuditEvent {
    const count = [...lost.values()].reduce((sum, n) => sum + n, 0);
    return ownEvent('system.audit-lost', this.#ports.clock.nowMs(), { count, by_type: Object.fromEntries(lost) });
  }

  // `mac` and `key_id` are the place of a keyed checkpoint; until there is a key they are null.
  #checkpointEvent(draft: Draft, reason: 'interval' | 'rotation' | 'close'): AuditEvent {
    return ownEvent('system.checkpoint', this.#ports.clock.nowMs(), {
      reason,
      count: draft.head.seq + 1,
      mac: null,
      key_id: null,
    });
  }

  #anchored(): void {
    const { seq, hash } = this.#head;
    this.#uncheckpointed = 0;
    this.#checkpointAt = this.#ports.clock.monotonicMs() + checkpointEveryMs;
    const segment = segmentName(this.#lastNumber);
    this.#ports.log.info('audit.checkpoint', { seq, hash, segment });
    const text = `${JSON.stringify({ seq, hash, segment, time: isoTime(this.#ports.clock.nowMs()) })}\n`;
    this.#anchor = this.#anchor
      .then(() => this.#ports.disk.replace(join(this.#options.dir, 'checkpoint.json'), text))
      .catch((error: unknown) => {
        this.#ports.log.warn('audit.checkpoint-not-kept', { reason: messageOf(error) });
      });
  }
}
