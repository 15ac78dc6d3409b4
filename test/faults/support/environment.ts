import { accessSync, constants } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';

/** `npm run test:faults` takes the long form; within `npm test` each method runs in a short one. */
const isLong = process.env['MEMGATE_FAULTS'] === 'long';

/** How often, or how many: the figure of the long form, and that of the short one. */
export const howMany = (long: number, short: number): number => (isLong ? long : short);

/** The built program. Another build can be named, so that the same faults meet it. */
export const programFile =
  process.env['MEMGATE_PROGRAM'] ?? fileURLToPath(new URL('../../../dist/cli/cli.js', import.meta.url));

/** The start that the image and the documents use, of the same build. */
export const launcher = join(dirname(programFile), '../../bin/memgate');

export const inPackage = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url));

export const isRoot = process.getuid?.() === 0;

/** True when a program of that name is installed. */
export function isInstalled(name: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((dir) => {
    try {
      accessSync(join(dir, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Leaves a test out, and says why; where the whole suite is promised, that is a failure. */
export function leaveOut(t: Test, why: string): void {
  if (process.env['CI'] === 'true') t.fail(`left out under CI: ${why}`);
  t.comment(`left out: ${why}`);
}
