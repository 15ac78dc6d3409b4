import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The repository: tests are run from its root. */
export const root = process.cwd();
/** Ignored by Git, and on the file system of the repository: the log wants a disk. */
export const scratch = join(root, '.cache', 'wire');
const other = process.env['MEMGATE_TEST_ENTRY'];
/** The program under test; another built one with `MEMGATE_TEST_ENTRY`. */
export const entry = other ?? join(root, 'dist', 'cli', 'cli.js');
/** What starts it for users: with the settings of memory that the package, the image and the unit have. */
export const launcher = join(dirname(entry), '..', '..', 'bin', 'memgate');
const lock = join(scratch, 'building');
const lockTriesMax = 1_200;
const lockPollMs = 100;

const newest = (): number =>
  Math.max(
    ...readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .map((file) => statSync(join(file.parentPath, file.name)).mtimeMs),
  );

const isFresh = (): boolean => other !== undefined || (existsSync(entry) && statSync(entry).mtimeMs >= newest());

function takeLock(): boolean {
  try {
    mkdirSync(lock);
    return true;
  } catch {
    return false;
  }
}

/** The program under test is the built one. Builds it where it is older than its sources; one test file does it, the others wait. */
export async function freshBuild(): Promise<void> {
  mkdirSync(scratch, { recursive: true });
  for (let tries = 0; !isFresh(); tries += 1) {
    if (takeLock()) {
      try {
        if (!isFresh()) execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { stdio: 'pipe' });
        return;
      } finally {
        rmdirSync(lock);
      }
    }
    if (tries > lockTriesMax) throw new Error(`${lock} is left over from a build that was killed: remove it`);
    await new Promise((resolve) => setTimeout(resolve, lockPollMs));
  }
}
