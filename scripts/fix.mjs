// `npm run fix`: repairs what a machine can: imports and simple rules, format, generated documents.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = (program, ...args) => spawnSync(program, args, { cwd: root, stdio: 'inherit' }).status === 0;
const fine = [
  run('node_modules/.bin/eslint', '--fix', '.'),
  run('node_modules/.bin/prettier', '--write', '--log-level', 'warn', '.'),
  run(process.execPath, 'scripts/build.mjs') && run(process.execPath, 'scripts/gen-docs.mjs'),
];
process.exitCode = fine.every(Boolean) ? 0 : 1;
