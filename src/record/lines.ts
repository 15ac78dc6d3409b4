import { open, type FileHandle } from 'node:fs/promises';
import { recordBytesMax } from './chain.js';

const chunkBytes = 1_048_576;

/** One line of a segment, without its newline. Valid during the call only: the buffer is used again. */
export interface Line {
  readonly bytes: Buffer;
  readonly offset: number;
  /** False for bytes at the end of the file that no newline follows. */
  readonly isComplete: boolean;
}

export interface LineRange {
  readonly start?: number;
  readonly limit?: number;
  /** Asked before each read; true ends the reading. */
  readonly isDone?: () => boolean;
}

/**
 * Reads a file line by line in bounded memory, from byte `start` to byte `limit`. A line longer than any record comes in pieces,
 * the first of which no reader can take for a record.
 */
export async function eachLine(path: string, range: LineRange, take: (line: Line) => void): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await readLines(handle, range, take);
  } finally {
    await handle.close();
  }
}

async function readLines(
  handle: FileHandle,
  { start = 0, limit = Infinity, isDone }: LineRange,
  take: (line: Line) => void,
): Promise<void> {
  const buffer = Buffer.alloc(chunkBytes);
  let kept = 0;
  let position = start;
  for (;;) {
    if (isDone?.() === true) return;
    const wanted = Math.min(chunkBytes - kept, limit - position);
    const read = wanted <= 0 ? 0 : (await handle.read(buffer, kept, wanted, position)).bytesRead;
    const base = position - kept;
    position += read;
    const filled = kept + read;
    const used = complete(buffer.subarray(0, filled), base, take);
    if (read === 0) {
      if (filled > used) take({ bytes: buffer.subarray(used, filled), offset: base + used, isComplete: false });
      return;
    }
    kept = filled - used;
    buffer.copyWithin(0, used, filled);
    if (kept > chunkBytes - recordBytesMax) {
      take({ bytes: buffer.subarray(0, kept), offset: position - kept, isComplete: true });
      kept = 0;
    }
  }
}

// Hands over every whole line; returns how many bytes they were.
function complete(bytes: Buffer, base: number, take: (line: Line) => void): number {
  let start = 0;
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    take({ bytes: bytes.subarray(start, end), offset: base + start, isComplete: true });
    start = end + 1;
  }
  return start;
}
