import { resolve } from 'node:path';
import type { Problem } from '../base/document.js';
import { ok, type Result } from '../base/result.js';
import { builtInProfiles, findProfile, type ProfileData } from '../resolve/resolve.js';

export { draftProfile } from './draft.js';
export type { ProfileData as ProfileContent } from '../resolve/resolve.js';
export { isWide, viewRoutes, viewServer } from './view.js';
export { viewCalls } from './view-calls.js';
export { viewTools } from './view-tools.js';

/** Reads and checks a profile by its name or file; paths are those of the working directory unless told. */
export async function readProfile(
  name: string,
  resolvePath: (path: string) => string = resolve,
): Promise<Result<ProfileData, readonly Problem[]>> {
  const profile = await findProfile(name, (path) => resolvePath(path));
  return profile.ok ? ok(profile.value.data) : profile;
}

/** Every profile that memgate brings, whole or with what is wrong with it. */
export async function readBuiltIn(): Promise<Result<readonly ProfileData[], readonly Problem[]>> {
  const all: ProfileData[] = [];
  for (const name of await builtInProfiles()) {
    const profile = await readProfile(name);
    if (!profile.ok) return profile;
    all.push(profile.value);
  }
  return ok(all);
}
