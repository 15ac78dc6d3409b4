import { access, constants } from 'node:fs/promises';
import { delimiter, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environment } from '../base/env.js';
import { no, ok, type Result } from '../base/result.js';
import { opaVersion } from './pin.js';
import { run } from './run.js';

/** Where a checkout keeps its tools; the place is the same from src/ and from dist/. */
const checkout = fileURLToPath(new URL('../../.cache/bin/opa', import.meta.url));
const versionMs = 10_000;

/**
 * The program to use: the one that is named, else that of the checkout, else the first of the right version on the PATH.
 *
 * @returns null where there is none
 */
export async function findNative(named: string | undefined): Promise<Result<string | null, string>> {
  if (named !== undefined) {
    const found = await versionOf(named);
    return found === opaVersion ? ok(named) : no(`${named} ${describe(found)}; wanted opa ${opaVersion}`);
  }
  for (const place of [checkout, ...onPath()]) if ((await versionOf(place)) === opaVersion) return ok(place);
  return ok(null);
}

const describe = (found: string | null): string => (found === null ? 'cannot be run as opa' : `is opa ${found}`);

/** Only whole paths: what lies in the directory that a command happens to run in is not a tool. */
const onPath = (): readonly string[] =>
  (environment('PATH') ?? '')
    .split(delimiter)
    .filter((directory) => isAbsolute(directory))
    .map((directory) => join(directory, 'opa'));

async function versionOf(program: string): Promise<string | null> {
  try {
    await access(program, constants.X_OK);
  } catch {
    return null;
  }
  const ran = await run(program, ['version'], {
    cwd: '/',
    outputBytes: 65_536,
    signal: AbortSignal.timeout(versionMs),
  });
  return ran.ok ? (/^Version: (\S+)$/m.exec(ran.value.stdout)?.[1] ?? null) : null;
}
