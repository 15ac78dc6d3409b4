import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/log.js';
import type { AuditEvent, AuditSink } from '../model/audit.js';
import type { Meter } from '../model/meter.js';
import { Budget } from './budget.js';
import { ClockWatch } from './clock-watch.js';
import type { Disk } from './disk.js';
import { entryOf, ownEvent } from './entries.js';
import type { Journal } from './journal.js';
import type { Lock } from './lock.js';
import { Writer, type QueueBounds } from './writer.js';

export interface AuditLogOptions extends QueueBounds {
  /** Directory of the segments; made with mode 0700. */
  readonly dir: string;
  /** Size at which a new segment begins. */
  readonly segmentBytes: number;
  /** Size of all segments in sum; beyond it nothing is written. */
  readonly maxBytes: number;
  /** Part of `maxBytes`, and of the disk's free space, that refusals may not use. */
  readonly reserveBytes: number;
  readonly refusalsPerSecond: number;
  readonly refusalsPerSecondPerAddress: number;
  readonly allowTmpfs: boolean;
}

export interface AuditLogPorts {
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
}

export interface AuditLogStatus {
  readonly ready: boolean;
  /** Why not ready. */
  readonly reason: string | null;
  readonly bytes: number;
  readonly lastSequence: number;
  readonly queued: number;
  readonly fileSystem: string;
}

/** The durable log of one process. */
export interface AuditLog extends AuditSink {
  /** Resolves when the event is on disk. @throws Fault `record.unavailable` */
  commit(event: AuditEvent): Promise<void>;
  /**
   * Appends without waiting; a loss is counted and told by the next record that can be written. An event that yields the
   * reserve is counted by its code where only the reserve is left.
   */
  note(event: AuditEvent): void;
  /**
   * Appends what an unknown caller caused, under the budget; beyond it the event is counted by its code.
   *
   * @param addressGroup IPv4 address or IPv6 /64 of the client
   * @returns false when it was counted only
   */
  noteUnderBudget(event: AuditEvent, addressGroup: string): boolean;
  status(): AuditLogStatus;
  /** Resolves when nothing waits for the disk. */
  flush(): Promise<void>;
  /** Writes what is left and a last checkpoint, and lets the directory go. */
  close(): Promise<void>;
}

const tickMs = 250;
const foldEveryMs = 1_000;
// Without room beyond the reserve the summaries themselves must not eat it.
const foldWithoutRoomEveryMs = 60_000;
const freeEveryMs = 1_000;

/** What an open log holds: the lock is let go when it closes. */
export interface Opening {
  readonly options: AuditLogOptions;
  readonly ports: AuditLogPorts;
  readonly disk: Disk;
  readonly fileSystem: string;
  readonly lock: Lock;
}

/** The log of a directory whose past is settled. */
export class DurableLog implements AuditLog {
  readonly #opening: Opening;
  readonly #journal: Journal;
  readonly #writer: Writer;
  readonly #budget: Budget;
  readonly #clockWatch: ClockWatch;
  #timer: NodeJS.Timeout | null = null;
  #free = Infinity;
  #freeAt = -Infinity;
  #foldedAt: number;
  #closing: Promise<void> | null = null;

  constructor(opening: Opening, journal: Journal) {
    const { options, ports } = opening;
    this.#opening = opening;
    this.#journal = journal;
    this.#writer = new Writer(journal, ports, options);
    this.#budget = new Budget({
      perSecond: options.refusalsPerSecond,
      perSecondPerAddress: options.refusalsPerSecondPerAddress,
    });
    this.#clockWatch = new ClockWatch(ports.clock);
    this.#foldedAt = ports.clock.monotonicMs();
    ports.meter.gauge('audit_queue_length', () => this.#writer.queued);
    ports.meter.gauge('audit_bytes', () => this.#journal.totalBytes);
    ports.meter.gauge('audit_last_sequence', () => this.#journal.head.seq);
  }

  async begin(): Promise<void> {
    await this.#lookAtFree();
    // The first batch shows whether the disk takes anything; a full one leaves the log not ready, and it recovers by itself.
    this.#writer.probe();
    await this.#writer.flush();
    this.#timer = setInterval(() => this.#tick(), tickMs).unref();
  }

  commit(event: AuditEvent): Promise<void> {
    if (this.#mustYield(event)) return Promise.resolve();
    return new Promise((resolve, reject) => this.#writer.push(entryOf(event, { resolve, reject })));
  }

  note(event: AuditEvent): void {
    if (!this.#mustYield(event)) this.#writer.push(entryOf(event));
  }

  noteUnderBudget(event: AuditEvent, addressGroup: string): boolean {
    const yielding = { yieldsReserve: true, ...event } as const;
    if (this.#mustYield(yielding)) return false;
    const isAdmitted = this.#budget.admits(yielding, addressGroup, this.#opening.ports.clock.monotonicMs());
    if (isAdmitted) this.#writer.push(entryOf(yielding));
    return isAdmitted;
  }

  status(): AuditLogStatus {
    const reason = this.#writer.blocked;
    return {
      ready: reason === null,
      reason,
      bytes: this.#journal.totalBytes,
      lastSequence: this.#journal.head.seq,
      queued: this.#writer.queued,
      fileSystem: this.#opening.fileSystem,
    };
  }

  flush(): Promise<void> {
    return this.#writer.flush();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#noteFolded();
    await this.#writer.close();
    await this.#opening.lock.release();
  }

  // Counts the event where it has to make way.
  #mustYield(event: AuditEvent): boolean {
    if (event.yieldsReserve !== true || this.#hasRoom()) return false;
    this.#budget.fold(event, 'reserve');
    return true;
  }

  #hasRoom(): boolean {
    const { maxBytes, reserveBytes } = this.#opening.options;
    return (
      this.#journal.totalBytes + reserveBytes < maxBytes && this.#free > reserveBytes && this.#writer.blocked === null
    );
  }

  #tick(): void {
    const now = this.#opening.ports.clock.monotonicMs();
    this.#writer.tick();
    this.#noteStep();
    if (now - this.#foldedAt >= (this.#hasRoom() ? foldEveryMs : foldWithoutRoomEveryMs)) {
      this.#foldedAt = now;
      this.#noteFolded();
    }
    if (now >= this.#freeAt) void this.#lookAtFree();
  }

  // Every time of the log is that of the wall clock: whoever reads it has to know where that one jumped.
  #noteStep(): void {
    const step = this.#clockWatch.look();
    if (step === null) return;
    const { stepMs, nowMs } = step;
    this.#opening.ports.log.warn('clock-stepped', { step_ms: stepMs });
    this.note(ownEvent('security.clock-stepped', nowMs, { step_ms: stepMs }));
  }

  #noteFolded(): void {
    const folded = this.#budget.takeFolded();
    if (folded === null) return;
    const { count, byCode, byCause, fromMs } = folded;
    const { clock } = this.#opening.ports;
    const fields = { count, from: new Date(fromMs).toISOString(), by_code: byCode, by_cause: byCause };
    this.#writer.push(
      entryOf(ownEvent('security.refusals-folded', clock.nowMs(), fields), null, () => this.#budget.restore(folded)),
    );
  }

  async #lookAtFree(): Promise<void> {
    this.#freeAt = this.#opening.ports.clock.monotonicMs() + freeEveryMs;
    this.#free = await this.#opening.disk.freeBytes(this.#opening.options.dir).catch(() => 0);
  }
}
