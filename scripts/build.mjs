// Builds dist/ from src/. Files whose source is gone are removed; running programs keep the rest while it is written.
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Compiles; the output of the compiler is the message when it fails. */
export function build() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.json'], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const dist = join(root, 'dist');
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath ?? entry.path, entry.name);
    const source = join(root, 'src', file.slice(dist.length)).replace(/\.js(?:\.map)?$/, '.ts');
    if (entry.isFile() && !existsSync(source)) rmSync(file);
  }
  const program = join(dist, 'cli', 'cli.js');
  if (existsSync(program)) chmodSync(program, 0o755);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    build();
  } catch {
    process.exitCode = 1; // the compiler has said why
  }
}
