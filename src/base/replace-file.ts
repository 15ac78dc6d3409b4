import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { randomBytes } from 'node:crypto';

/**
 * Puts a file in the place of another, or where there is none: whoever looks sees the old one or the new one, whole, also
 * after a power cut.
 *
 * @throws what the file system throws; nothing is left beside the file then
 */
export async function replaceFile(file: string, bytes: string | Uint8Array, mode = 0o644): Promise<void> {
  const directory = dirname(file);
  const next = join(directory, `.memgate-${randomBytes(8).toString('hex')}`);
  try {
    const handle = await open(next, 'wx', mode);
    try {
      await handle.writeFile(bytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(next, file);
  } catch (error) {
    await rm(next, { force: true });
    throw error;
  }
  await syncDirectory(directory);
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
