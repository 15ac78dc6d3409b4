import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { messageOf, type Logger } from '../base/log.js';
import type { AuditEvent } from '../model/audit.js';
import { isoTime, type Head } from './chain.js';
import type { Disk } from './disk.js';
import { ownEvent } from './entries.js';

const everyMs = 10_000;
const everyRecords = 10_000;

export interface CheckpointPorts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Says now and then, in the log and outside of it, how far the log goes: what is cut off behind that shows. */
export class Checkpoints {
  readonly #dir: string;
  readonly #ports: CheckpointPorts;
  #records = 0;
  #dueAt: number;
  #kept: Promise<void> = Promise.resolve();

  constructor(dir: string, ports: CheckpointPorts) {
    this.#dir = dir;
    this.#ports = ports;
    this.#dueAt = ports.clock.monotonicMs() + everyMs;
  }

  get isDue(): boolean {
    return this.#records > 0 && (this.#records >= everyRecords || this.#ports.clock.monotonicMs() >= this.#dueAt);
  }

  /** Counts records that have become durable. */
  count(records: number): void {
    this.#records += records;
  }

  // `mac` and `key_id` are the place of a keyed checkpoint; until there is a key they are null.
  event(head: Head, reason: 'interval' | 'rotation' | 'close'): AuditEvent {
    const fields = { reason, count: head.seq + 1, mac: null, key_id: null };
    return ownEvent('system.checkpoint', this.#ports.clock.nowMs(), fields);
  }

  /** Tells the process log and `checkpoint.json` of a checkpoint that is durable. */
  told({ seq, hash }: Head, segment: string): void {
    const { disk, clock, log } = this.#ports;
    this.#records = 0;
    this.#dueAt = clock.monotonicMs() + everyMs;
    log.info('audit.checkpoint', { seq, hash, segment });
    const text = `${JSON.stringify({ seq, hash, segment, time: isoTime(clock.nowMs()) })}\n`;
    this.#kept = this.#kept
      .then(() => disk.replace(join(this.#dir, 'checkpoint.json'), text))
      .catch((error: unknown) => {
        log.warn('audit.checkpoint-not-kept', { reason: messageOf(error) });
      });
  }

  settled(): Promise<void> {
    return this.#kept;
  }
}
