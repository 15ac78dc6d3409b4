import { chmod, mkdir, stat } from 'node:fs/promises';
import { messageOf, type Logger } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import type { AuditEvent } from '../model/audit.js';
import { fileSystemOf, isInMemory, systemDisk, type Disk } from './disk.js';
import { ownEvent, recoveryEvents } from './entries.js';
import { Journal } from './journal.js';
import { takeLock } from './lock.js';
import { DurableLog, type AuditLog, type AuditLogOptions, type AuditLogPorts, type Opening } from './log.js';
import { recover, type Recovered } from './recover.js';

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
