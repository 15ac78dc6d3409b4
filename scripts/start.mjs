// `npm start`: the demo, in this very process, built first where it is not.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const program = new URL('../dist/cli/cli.js', import.meta.url);
if (!existsSync(program)) {
  const { build } = await import('./build.mjs');
  build();
}
process.argv = [process.execPath, fileURLToPath(program), 'demo', ...process.argv.slice(2)];
await import(program.href);
