// Builds the bad bundles of test/fixtures/policies, and compares them with the committed ones unless `--write` is given.
import { mkdtempSync, readdirSync, copyFileSync, existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, findTools, members } from './policies.mjs';

const directory = fileURLToPath(new URL('../test/fixtures/policies/', import.meta.url));
const { opa } = findTools();
const say = (line) => process.stdout.write(`policy fixtures: ${line}\n`);

async function isSame(left, right) {
  if (!existsSync(right)) return false;
  const [a, b] = await Promise.all([members(left), members(right)]);
  return a.size === b.size && [...a].every(([name, bytes]) => b.get(name)?.equals(bytes));
}

async function buildAll(write) {
  const scratch = mkdtempSync(join(tmpdir(), 'memgate-fixtures-'));
  let stale = 0;
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const target = join(scratch, `${entry.name}.tar.gz`);
      const kept = join(directory, `${entry.name}.tar.gz`);
      build(opa, {
        directory: join(directory, entry.name),
        revision: `test-only-${entry.name}`,
        target,
        checked: false,
      });
      if (await isSame(target, kept)) continue;
      if (write) copyFileSync(target, kept);
      else stale += 1;
      say(
        `${entry.name} ${write ? 'written' : 'is not what its source gives; run node scripts/policy-fixtures.mjs --write'}`,
      );
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  return stale === 0;
}

if (opa === null) {
  say('left out for want of opa');
  process.exitCode = process.env.CI === 'true' ? 1 : 0;
} else {
  process.exitCode = (await buildAll(process.argv.includes('--write'))) ? 0 : 1;
}
