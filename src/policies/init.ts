import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';

/** The policies that memgate brings, two folders up both from the sources and from what is built of them. */
const shipped = fileURLToPath(new URL('../../policies/', import.meta.url));
const parts = /^(?:bundle|cases)[/\\]|^capabilities\.json$/;

/**
 * Copies the shipped sources, cases and capabilities into a new or empty directory.
 *
 * @returns the copied files, relative to the directory
 */
export async function copyShipped(directory: string): Promise<Result<readonly string[], string>> {
  try {
    const there = await readdir(directory).catch(() => []);
    if (there.length > 0)
      return no(`${directory} is not empty; wanted a new directory, so that nothing is overwritten`);
    const entries = await readdir(shipped, { recursive: true, withFileTypes: true });
    const names = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(shipped.length))
      .filter((name) => parts.test(name))
      .sort();
    if (names.length === 0) return no(`this installation holds no policy sources in ${shipped}`);
    for (const name of names) {
      const target = join(directory, name);
      await mkdir(dirname(target), { recursive: true });
      // With modes of its own: those of an image are often read-only.
      await writeFile(target, await readFile(join(shipped, name)), { flag: 'wx' });
    }
    return ok(names);
  } catch (error) {
    return no(`${directory} cannot be written: ${messageOf(error)}`);
  }
}
