import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../base/clock.js';
import { messageOf, type Logger } from '../base/log.js';
import { Fault } from '../model/codes.js';
import type { Meter } from '../model/meter.js';
import type { Entry } from './entries.js';
import { LogFull, type Journal } from './journal.js';

/** Beyond either the disk is not keeping up, and waiting longer would only use memory. */
export interface QueueBounds {
  readonly queueEntries: number;
  readonly queueBytes: number;
}

export interface WriterPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
}

// A batch is rendered and hashed on the event loop in one go: a few milliseconds at most.
const batchRecordsMax = 1_024;
const batchBytesMax = 1_048_576;
// Records that nobody waits for ride along with the next commit, or go by themselves after this.
const noteDelayMs = 20;
const noteBytesMax = 65_536;
const retryEveryMs = 500;
/** Turns of the event loop in which a batch gathers: requests that the last one set free come back as new ones, and share its sync. */
const gatherTurns = 2;

/** Group commit: one batch is on its way to the disk while the next one gathers. The event loop never waits. */
export class Writer {
  readonly #journal: Journal;
  readonly #ports: WriterPorts;
  readonly #bounds: QueueBounds;
  #queue: Entry[] = [];
  #queueBytes = 0;
  #waiting = 0;
  #isWanted = false;
  #isScheduled = false;
  #isClosed = false;
  #running: Promise<void> | null = null;
  #noteTimer: NodeJS.Timeout | null = null;
  #blocked: string | null = null;
  #retryAt = 0;
  #failedAt = -Infinity;

  constructor(journal: Journal, ports: WriterPorts, bounds: QueueBounds) {
    this.#journal = journal;
    this.#ports = ports;
    this.#bounds = bounds;
  }

  /** Why nothing can be written now; null when all is well. */
  get blocked(): string | null {
    return this.#isClosed ? 'the audit log is closed' : (this.#blocked ?? this.#overflow());
  }

  get queued(): number {
    return this.#queue.length;
  }

  push(entry: Entry): void {
    const refusal = this.#refusal();
    if (refusal !== null) {
      this.#drop([entry], refusal);
      return;
    }
    this.#queue.push(entry);
    this.#queueBytes += entry.bytes;
    if (entry.waiter !== null) {
      this.#waiting += 1;
      this.#schedule();
    } else if (this.#queueBytes >= noteBytesMax) this.#want();
    else this.#noteTimer ??= setTimeout(() => this.#want(), noteDelayMs).unref();
  }

  /** Writes what the log owes, though nobody asked. */
  probe(): void {
    this.#want();
  }

  /** Tries again after a failure, and writes what is due without a record to carry it. */
  tick(): void {
    if (this.#isClosed) return;
    const isDue =
      this.#blocked === null ? this.#journal.isCheckpointDue : this.#ports.clock.monotonicMs() >= this.#retryAt;
    if (isDue) this.#want();
  }

  async flush(): Promise<void> {
    while (this.#queue.length > 0 || this.#running !== null || this.#isWanted) {
      this.#isWanted = true;
      await (this.#running ?? this.#start());
    }
  }

  async close(): Promise<void> {
    await this.flush();
    this.#isClosed = true;
    if (this.#noteTimer !== null) clearTimeout(this.#noteTimer);
    await this.#journal.close();
  }

  #refusal(): string | null {
    const mayRetry = !this.#isClosed && this.#ports.clock.monotonicMs() >= this.#retryAt;
    return mayRetry ? this.#overflow() : this.blocked;
  }

  #overflow(): string | null {
    const { queueEntries, queueBytes } = this.#bounds;
    const isFull = this.#queue.length >= queueEntries || this.#queueBytes >= queueBytes;
    return isFull ? 'the queue of the audit log is full' : null;
  }

  #want(): void {
    this.#isWanted = true;
    this.#schedule();
  }

  // In the next turn: everything that arrives in this one shares its sync.
  #schedule(): void {
    if (this.#isScheduled || this.#running !== null) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#running === null) void this.#start();
    });
  }

  #start(): Promise<void> {
    this.#running = this.#pump().finally(() => {
      this.#running = null;
      if (this.#waiting > 0 || this.#isWanted) this.#schedule();
    });
    return this.#running;
  }

  async #pump(): Promise<void> {
    while (this.#waiting > 0 || this.#isWanted) {
      if (this.#blocked !== null && this.#ports.clock.monotonicMs() < this.#retryAt) {
        this.#isWanted = false;
        this.#drop(this.#take(Infinity, Infinity), this.#blocked);
        return;
      }
      for (let turn = 0; turn < gatherTurns; turn += 1) await nextTurn();
      const batch = this.#take(batchRecordsMax, batchBytesMax);
      if (this.#queue.length === 0) this.#isWanted = false;
      await this.#writeBatch(batch);
    }
  }

  async #writeBatch(batch: readonly Entry[]): Promise<void> {
    const startedMs = this.#ports.clock.monotonicMs();
    try {
      if (this.#blocked !== null) await this.#journal.recount();
      await this.#journal.write(batch);
    } catch (error) {
      this.#failed(batch, error);
      return;
    }
    if (this.#blocked !== null) {
      this.#ports.log.info('audit.writes-again', { sequence: this.#journal.head.seq });
      this.#blocked = null;
    }
    for (const { waiter, event } of batch) {
      this.#ports.meter.auditEvent(event.type.slice(0, event.type.indexOf('.')));
      waiter?.resolve();
    }
    if (batch.length > 0)
      this.#ports.meter.auditBatch(batch.length, (this.#ports.clock.monotonicMs() - startedMs) / 1_000);
  }

  #failed(batch: readonly Entry[], error: unknown): void {
    const now = this.#ports.clock.monotonicMs();
    const isRepeated = error instanceof LogFull || now - this.#failedAt < retryEveryMs;
    if (this.#blocked === null) this.#ports.log.error('audit.write-failed', { reason: messageOf(error) });
    this.#blocked = messageOf(error);
    // The first failure may be one bad batch: a new segment is tried at once. After that, twice a second.
    this.#retryAt = isRepeated ? now + retryEveryMs : now;
    this.#failedAt = now;
    this.#drop(batch, this.#blocked);
  }

  #take(records: number, bytes: number): Entry[] {
    let count = 0;
    let size = 0;
    for (; count < this.#queue.length && count < records; count += 1) {
      const entry = this.#queue[count];
      if (entry === undefined || (count > 0 && size + entry.bytes > bytes)) break;
      size += entry.bytes;
      if (entry.waiter !== null) this.#waiting -= 1;
    }
    const batch = this.#queue.splice(0, count);
    this.#queueBytes -= size;
    if (this.#queue.length === 0 && this.#noteTimer !== null) {
      clearTimeout(this.#noteTimer);
      this.#noteTimer = null;
    }
    return batch;
  }

  #drop(entries: readonly Entry[], reason: string): void {
    if (entries.length === 0) return;
    this.#journal.losses.add(entries);
    const lost = entries.filter(({ restore }) => restore === null).length;
    if (lost > 0) this.#ports.meter.auditLost(lost);
    for (const { waiter } of entries) waiter?.reject(new Fault('record.unavailable', `audit log: ${reason}`));
  }
}
