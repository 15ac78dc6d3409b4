import { chmod, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describeProblem } from '../base/document.js';
import { messageOf } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import { loadManifestFiles } from '../identify/identify.js';
import { manifestText, withEntry, type ManifestEntry } from './entry-text.js';

/** Whether the file was made, or one that was there has an entry more. */
export type Added = 'made' | 'added';

/**
 * Writes an entry into a manifest: a new file, or behind the entries of one that loads. The file is replaced whole or not at
 * all, and keeps its mode; readers see the old one or the new one.
 *
 * @returns why nothing was written
 */
export async function addToManifest(file: string, entry: ManifestEntry): Promise<Result<Added, string>> {
  if (!file.endsWith('.yaml')) return no(`${file} would not be read: name it *.yaml`);
  try {
    const target = await realpath(file).catch(orNull);
    return target === null ? await make(file, entry) : await extend(target, entry);
  } catch (thrown) {
    return no(`${file} cannot be written: ${messageOf(thrown)}`);
  }
}

const codeOf = (thrown: unknown): unknown => (thrown instanceof Error && 'code' in thrown ? thrown.code : null);

function orNull(thrown: unknown): null {
  if (codeOf(thrown) === 'ENOENT') return null;
  throw thrown;
}

async function make(file: string, entry: ManifestEntry): Promise<Result<Added, string>> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.writeFile(manifestText([entry]));
    await handle.sync();
  } finally {
    await handle.close();
  }
  return ok('made');
}

async function extend(file: string, entry: ManifestEntry): Promise<Result<Added, string>> {
  // Its name has a dot in front, so that no reader of the directory takes it; it is the lock as well.
  const next = join(dirname(file), `.${basename(file)}.next`);
  const handle = await open(next, 'wx', 0o600).catch((thrown: unknown) => {
    if (codeOf(thrown) === 'EEXIST') return null;
    throw thrown;
  });
  if (handle === null)
    return no(`${next} is there: another command is writing, or was ended while it wrote; then remove that file`);
  let isPut = false;
  try {
    const text = await extended(file, entry);
    if (!text.ok) return text;
    await handle.writeFile(text.value);
    await handle.sync();
    await chmod(next, (await stat(file)).mode & 0o7777);
    await rename(next, file);
    isPut = true;
    return ok('added');
  } finally {
    await handle.close();
    if (!isPut) await rm(next, { force: true });
  }
}

async function extended(file: string, entry: ManifestEntry): Promise<Result<string, string>> {
  const loaded = await loadManifestFiles([file]);
  if (!loaded.ok) return no(loaded.why.map(describeProblem).join('\n'));
  const text = withEntry(await readFile(file, 'utf8'), entry);
  return text === null ? no(`${file} is written in a way that cannot be added to: put the entry in by hand`) : ok(text);
}
