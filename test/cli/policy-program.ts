import { execFile } from 'node:child_process';
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { entry } from '../wire/support/build.js';

interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `memgate policy …`, as it ended. */
export const policy = (...args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, [entry, 'policy', ...args], { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr });
    });
  });

/** Other tests share the cores. */
export const roomy = ['--budget-ms', '250'];

/** A copy of the shipped policies, to be changed. */
export function copied(t: Test): { directory: string; authz: string; bundle: string } {
  const directory = t.testdir();
  cpSync('policies', directory, { recursive: true });
  return {
    directory,
    authz: join(directory, 'bundle/memgate/authz/authz.rego'),
    bundle: join(directory, 'dist/memgate.tar.gz'),
  };
}
