import { constants } from 'node:fs';
import { open, readdir, type FileHandle } from 'node:fs/promises';
import { no, ok, type Result } from './result.js';

/** Where files are read from: the disk, or what was read of it at one moment. */
export interface Files {
  /** A regular file of at most `maxBytes` bytes, or what is wrong with it. */
  bytes(file: string, maxBytes: number): Promise<Result<Buffer, string>>;
  /** Names in a directory, in order, or what is wrong with it. */
  names(dir: string): Promise<Result<readonly string[], string>>;
}

/** The disk as it is now. */
export const diskFiles: Files = {
  bytes: async (file, maxBytes) => {
    const read = await readOpen(file, (handle) => readUpTo(handle, maxBytes + 1));
    return read.ok && read.value.length > maxBytes ? no(tooLong(maxBytes)) : read;
  },
  names: async (dir) => {
    try {
      return ok((await readdir(dir)).sort());
    } catch (thrown) {
      const why = readFault(thrown);
      return no(why === 'does not exist' ? 'does not exist; wanted a directory' : why);
    }
  },
};

export const tooLong = (maxBytes: number): string => `holds more than ${String(maxBytes)} bytes`;

/** Opens a regular file, lets it be read, and closes it. */
export async function readOpen<T>(file: string, read: (handle: FileHandle) => Promise<T>): Promise<Result<T, string>> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe without a writer must not hang the start
    if (!(await handle.stat()).isFile()) return no('is not a regular file');
    return ok(await read(handle));
  } catch (thrown) {
    return no(readFault(thrown));
  } finally {
    await handle?.close();
  }
}

export async function readUpTo(handle: FileHandle, max: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let left = max; left > 0;) {
    const size = Math.min(left, 65_536);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(size), 0, size, null);
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    left -= bytesRead;
  }
  return Buffer.concat(chunks);
}

const readFaults: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist: a part of its path is not a directory',
  EACCES: 'cannot be read: permission denied',
  ELOOP: 'cannot be read: too many symbolic links',
};

function readFault(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown error';
  return readFaults[code] ?? `cannot be read: ${code}`;
}
