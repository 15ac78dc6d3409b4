import { join } from 'node:path';
import { messageOf, type Logger } from '../base/log.js';
import { segmentName, type Disk, type SegmentFile } from './disk.js';
import type { Former } from './entries.js';

export interface SegmentPorts {
  readonly disk: Disk;
  readonly log: Logger;
}

interface Place {
  readonly dir: string;
  readonly number: number;
  readonly bytes: number;
  readonly ports: SegmentPorts;
}

/** The segment that is written now. */
export class Segment {
  readonly name: string;
  readonly number: number;
  readonly #dir: string;
  readonly #ports: SegmentPorts;
  readonly #file: SegmentFile;
  readonly #inode: number;
  /** Up to here everything is durable. */
  #bytes: number;

  private constructor(place: Place, file: SegmentFile, inode: number) {
    this.#dir = place.dir;
    this.#bytes = place.bytes;
    this.#ports = place.ports;
    this.number = place.number;
    this.name = segmentName(place.number);
    this.#file = file;
    this.#inode = inode;
  }

  static async create(dir: string, number: number, ports: SegmentPorts): Promise<Segment> {
    const file = await ports.disk.create(join(dir, segmentName(number)));
    return new Segment({ dir, number, bytes: 0, ports }, file, (await file.stat()).inode);
  }

  static async reopen(dir: string, at: { number: number; bytes: number }, ports: SegmentPorts): Promise<Segment> {
    const file = await ports.disk.reopen(join(dir, segmentName(at.number)));
    return new Segment({ dir, ...at, ports }, file, (await file.stat()).inode);
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How a successor names it. */
  get asFormer(): Former {
    return { segment: this.name, bytes: this.#bytes };
  }

  /** Returns when the bytes, and the name of a new segment, are on the disk. */
  async append(bytes: Buffer): Promise<void> {
    await this.#file.append(bytes);
    await this.#file.sync();
    if (this.#bytes === 0) await this.#ports.disk.syncDirectory(this.#dir);
    this.#bytes += bytes.length;
  }

  /** Cuts off what a failed batch left behind: never tried again in place, as the kernel may have dropped it. */
  async abandon(): Promise<void> {
    const ignore = (error: unknown): void => {
      this.#ports.log.warn('audit.cut-failed', { segment: this.name, reason: messageOf(error) });
    };
    if (this.#bytes > 0)
      await this.#file
        .truncate(this.#bytes)
        .then(() => this.#file.sync())
        .catch(ignore);
    await this.close();
    if (this.#bytes === 0) await this.#ports.disk.remove(join(this.#dir, this.name)).catch(ignore);
  }

  /** What somebody else did to the file since the last batch; null when nothing. */
  async change(): Promise<{ readonly change: 'removed' | 'replaced' | 'resized'; readonly bytes: number } | null> {
    const [found, inode] = await Promise.all([this.#file.stat(), this.#ports.disk.inodeOf(join(this.#dir, this.name))]);
    const { bytes } = found;
    if (found.links === 0 || inode === null) return { change: 'removed', bytes };
    if (inode !== this.#inode) return { change: 'replaced', bytes };
    return bytes === this.#bytes ? null : { change: 'resized', bytes };
  }

  async close(): Promise<void> {
    await this.#file.close().catch(() => undefined); // what counts is durable already
  }
}
