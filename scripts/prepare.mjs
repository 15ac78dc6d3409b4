// Runs after `npm ci`, so that the program is built. An installation without development packages takes dist/ as it is.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

if (existsSync(fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url)))) {
  const { build } = await import('./build.mjs');
  try {
    build();
  } catch {
    process.exitCode = 1; // the compiler has said why
  }
} else {
  process.stderr.write('memgate: no compiler is installed, so dist/ is left as it is\n');
}
