import { constants, fdatasync, write as writeTo } from 'node:fs';
import { open, readdir, rename, rm, stat, statfs, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

/** One open segment. Nothing but appending, and cutting off what never became durable. */
export interface SegmentFile {
  append(bytes: Buffer): Promise<void>;
  /** Returns when the bytes are on the disk, or fails; never tried twice for the same bytes. */
  sync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  stat(): Promise<{ readonly bytes: number; readonly inode: number; readonly links: number }>;
  close(): Promise<void>;
}

/** What the log does to the file system: tests put failures here that a real disk shows only by accident. */
export interface Disk {
  /** @throws when the file exists */
  create(path: string): Promise<SegmentFile>;
  reopen(path: string): Promise<SegmentFile>;
  remove(path: string): Promise<void>;
  /** Makes names that were created or removed in it durable. */
  syncDirectory(dir: string): Promise<void>;
  /** Null when there is nothing of that name. */
  inodeOf(path: string): Promise<number | null>;
  freeBytes(dir: string): Promise<number>;
  /** Bytes of all segments in it. */
  segmentBytes(dir: string): Promise<number>;
  /** Puts a small file in place whole, or not at all. */
  replace(path: string, text: string): Promise<void>;
}

const appendOnly = constants.O_WRONLY | constants.O_APPEND;

// The callback forms cost half of what the methods of a FileHandle do, and a small batch is mostly that.
const write = (fd: number, bytes: Buffer): Promise<number> =>
  new Promise((resolve, reject) => {
    writeTo(fd, bytes, (error, written) => {
      if (error === null) resolve(written);
      else reject(error);
    });
  });
const sync = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    fdatasync(fd, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });

function segmentFile(handle: FileHandle): SegmentFile {
  return {
    append: async (bytes) => {
      let rest = bytes;
      while (rest.length > 0) {
        const written = await write(handle.fd, rest);
        if (written === 0) throw new Error('the disk took no bytes');
        rest = rest.subarray(written);
      }
    },
    sync: () => sync(handle.fd),
    truncate: (bytes) => handle.truncate(bytes),
    stat: async () => {
      const { size, ino, nlink } = await handle.stat();
      return { bytes: size, inode: ino, links: nlink };
    },
    close: () => handle.close(),
  };
}

async function syncDirectory(dir: string): Promise<void> {
  const handle = await open(dir, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function replace(path: string, text: string): Promise<void> {
  const next = `${path}.next`;
  const handle = await open(next, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(next, path);
}

export const systemDisk: Disk = {
  create: async (path) => segmentFile(await open(path, appendOnly | constants.O_CREAT | constants.O_EXCL, 0o600)),
  reopen: async (path) => segmentFile(await open(path, appendOnly)),
  remove: (path) => rm(path, { force: true }),
  syncDirectory,
  inodeOf: (path) =>
    stat(path).then(
      ({ ino }) => ino,
      () => null,
    ),
  freeBytes: async (dir) => {
    const { bavail, bsize } = await statfs(dir);
    return bavail * bsize;
  },
  segmentBytes: async (dir) => (await listSegments(dir)).reduce((sum, { bytes }) => sum + bytes, 0),
  replace,
};

export interface SegmentName {
  readonly name: string;
  readonly number: number;
  readonly bytes: number;
}

const segmentPattern = /^(\d{6,12})\.jsonl$/;

export const segmentName = (number: number): string => `${String(number).padStart(6, '0')}.jsonl`;

/** The segments of a log, oldest first. */
export async function listSegments(dir: string): Promise<readonly SegmentName[]> {
  const found: SegmentName[] = [];
  for (const name of await readdir(dir)) {
    const number = segmentPattern.exec(name)?.[1];
    if (number === undefined || segmentName(Number(number)) !== name) continue;
    const facts = await stat(join(dir, name)).catch(() => null);
    if (facts?.isFile() === true) found.push({ name, number: Number(number), bytes: facts.size });
  }
  return found.sort((a, b) => a.number - b.number);
}

// Magic numbers of statfs(2).
const fileSystems: Readonly<Record<number, string>> = {
  0x01021994: 'tmpfs',
  0x858458f6: 'ramfs',
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x794c7630: 'overlay',
  0x6969: 'nfs',
  0x2fc12fc1: 'zfs',
  0x65735546: 'fuse',
  0x01021997: '9p',
};

/** Name of the file system that a directory is on, or its type number where we know no name. */
export async function fileSystemOf(dir: string): Promise<string> {
  const { type } = await statfs(dir);
  return fileSystems[type >>> 0] ?? `0x${(type >>> 0).toString(16)}`;
}

export const isInMemory = (fileSystem: string): boolean => fileSystem === 'tmpfs' || fileSystem === 'ramfs';
