import { chmod, mkdir, stat } from 'node:fs/promises';
import type { Clock } from '../base/clock.js';
import { messageOf, type Logger } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import type { AuditEvent, AuditSink } from '../model/audit.js';
import type { Meter } from '../model/meter.js';
import { createBudget, type Budget } from './budget.js';
import { fileSystemOf, isInMemory, systemDisk, type Disk } from './disk.js';
import { entryOf, ownEvent, recoveryEvents } from './entries.js';
import { Journal } from './journal.js';
import { takeLock, type Lock } from './lock.js';
import { recover, type Recovered } from './recover.js';
import { Writer } from './writer.js';

export interface AuditLogOptions {
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
  /** Appends without waiting; a loss is counted and told by the next record that can be written. */
  note(event: AuditEvent): void;
  /**
   * Appends a refusal before authorization, under the budget; beyond it the refusal is counted by its code.
   *
   * @param addressGroup IPv4 address or IPv6 /64 of the client
   */
  noteRefusal(event: AuditEvent, addressGroup: string): void;
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

/** For tests that need a failing disk. */
export interface LogInternals {
  readonly disk: Disk;
}

/**
 * Opens a log: makes the directory, takes its lock, looks at the file system, cuts a torn tail, and goes on behind the last
 * record. What the process before left unfinished becomes a recovery record.
 *
 * @returns the log, or what is wrong and what is wanted
 */
export async function openAuditLog(
  options: AuditLogOptions,
  ports: AuditLogPorts,
  internals: LogInternals = { disk: systemDisk },
): Promise<Result<AuditLog, string>> {
  const { dir } = options;
  try {
    await prepare(dir, ports.log);
    const fileSystem = await fileSystemOf(dir);
    if (isInMemory(fileSystem) && !options.allowTmpfs) {
      return no(
        `audit.dir: ${dir} is on ${fileSystem}, which forgets everything at power-off; use a directory on a disk, or set audit.allow_tmpfs: true`,
      );
    }
    const lock = await takeLock(dir);
    if (!lock.ok) return no(`audit.dir: ${lock.why}`);
    try {
      return ok(await openLocked({ options, ports, disk: internals.disk, fileSystem, lock: lock.value }));
    } catch (error) {
      await lock.value.release();
      throw error;
    }
  } catch (error) {
    return no(
      `audit.dir: cannot use ${dir}: ${messageOf(error)}; it must be a directory that this process may read and write`,
    );
  }
}

async function prepare(dir: string, log: Logger): Promise<void> {
  const made = await mkdir(dir, { recursive: true, mode: 0o700 });
  if (made !== undefined) await chmod(dir, 0o700); // whatever the umask
  const mode = (await stat(dir)).mode & 0o777;
  if ((mode & 0o077) !== 0) log.warn('audit.directory-open', { dir, mode: mode.toString(8), wanted: '700' });
}

interface Opening {
  readonly options: AuditLogOptions;
  readonly ports: AuditLogPorts;
  readonly disk: Disk;
  readonly fileSystem: string;
  readonly lock: Lock;
}

async function openLocked(opening: Opening): Promise<AuditLog> {
  const { options, ports, disk, fileSystem } = opening;
  const found = await recover(options.dir);
  const owed = owedEvents(found, ports.clock.nowMs());
  const { lastNumber, former, totalBytes, head, current } = found;
  const reason = found.damage !== null ? 'damaged' : lastNumber === 0 ? 'start' : 'rotation';
  const journal = await Journal.start(
    options,
    { disk, ...ports },
    { head, current, lastNumber, former, reason, totalBytes, owed },
  );
  ports.log.info('audit.opened', {
    dir: options.dir,
    file_system: fileSystem,
    sequence: head.seq,
    unfinished: found.unfinished.length,
  });
  if (found.damage !== null) ports.log.error('audit.chain-broken', { ...found.damage });
  const log = new DurableLog(opening, journal);
  await log.begin();
  return log;
}

function owedEvents(found: Recovered, atMs: number): readonly AuditEvent[] {
  if (found.isClean) return [];
  const segment = found.former?.segment ?? '';
  const events = recoveryEvents(
    { segment, tornBytes: found.tornBytes, head: found.head, unfinished: found.unfinished },
    atMs,
  );
  return found.damage === null
    ? events
    : [ownEvent('security.audit-chain-broken', atMs, { ...found.damage }), ...events];
}

class DurableLog implements AuditLog {
  readonly #opening: Opening;
  readonly #journal: Journal;
  readonly #writer: Writer;
  readonly #budget: Budget;
  #timer: NodeJS.Timeout | null = null;
  #free = Infinity;
  #freeAt = -Infinity;
  #foldAt: number;
  #closing: Promise<void> | null = null;

  constructor(opening: Opening, journal: Journal) {
    const { options, ports } = opening;
    this.#opening = opening;
    this.#journal = journal;
    this.#writer = new Writer(journal, ports);
    this.#budget = createBudget({
      perSecond: options.refusalsPerSecond,
      perSecondPerAddress: options.refusalsPerSecondPerAddress,
    });
    this.#foldAt = ports.clock.monotonicMs() + foldEveryMs;
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
    if (event.yieldsReserve === true && !this.#hasRoom()) {
      this.#budget.fold(event, 'reserve');
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => this.#writer.push(entryOf(event, { resolve, reject })));
  }

  note(event: AuditEvent): void {
    this.#writer.push(entryOf(event));
  }

  noteRefusal(event: AuditEvent, addressGroup: string): void {
    if (!this.#hasRoom()) this.#budget.fold(event, 'reserve');
    else if (this.#budget.admits(event, addressGroup, this.#opening.ports.clock.monotonicMs())) this.note(event);
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

  #hasRoom(): boolean {
    const { maxBytes, reserveBytes } = this.#opening.options;
    return (
      this.#journal.totalBytes + reserveBytes < maxBytes && this.#free > reserveBytes && this.#writer.blocked === null
    );
  }

  #tick(): void {
    const now = this.#opening.ports.clock.monotonicMs();
    this.#writer.tick();
    if (now >= this.#foldAt) {
      this.#foldAt = now + (this.#hasRoom() ? foldEveryMs : foldWithoutRoomEveryMs);
      this.#noteFolded();
    }
    if (now >= this.#freeAt) void this.#lookAtFree();
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
