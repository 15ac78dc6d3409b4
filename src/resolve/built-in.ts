import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { diskFiles, type Files } from '../base/files.js';
import { fileProblem, type Problem } from '../base/problem.js';
import { no, type Result } from '../base/result.js';
import type { Profile } from './compile.js';
import { loadProfile } from './profile.js';

/** Profiles that memgate brings. The place is the same from src/ and from dist/. */
const builtInDir = fileURLToPath(new URL('../../config/profiles/', import.meta.url));
const bareName = /^[a-z][a-z0-9-]{0,63}$/;

/** Names of the profiles that memgate brings, in order. */
export async function builtInProfiles(): Promise<readonly string[]> {
  const files = await readdir(builtInDir);
  return files.flatMap((file) => (file.endsWith('.yaml') ? [file.slice(0, -'.yaml'.length)] : [])).sort();
}

/**
 * Reads a profile by what stands in a configuration or a command: a bare name is one that memgate brings, anything with
 * a dot or a slash is a file.
 */
export async function findProfile(
  name: string,
  resolvePath: (path: string) => string,
  files: Files = diskFiles,
): Promise<Result<Profile, readonly Problem[]>> {
  if (!bareName.test(name)) return loadProfile(resolvePath(name), files);
  const known = await builtInProfiles();
  if (known.includes(name)) return loadProfile(join(builtInDir, `${name}.yaml`), files);
  const message = `is none of the profiles that memgate brings (${known.join(', ')}); a file is told by a dot or a slash in its name`;
  return no([fileProblem(name, message)]);
}
