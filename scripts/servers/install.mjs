// Installs real memory servers into .cache/servers/NAME, each once: a file beside them says what is there.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const minutesMax = 10;

/** @throws Error that names the command and holds the end of what it said */
function run(program, args, cwd) {
  const done = spawnSync(program, args, { cwd, encoding: 'utf8', timeout: minutesMax * 60_000 });
  if (done.status === 0) return;
  const said = `${done.stdout ?? ''}${done.stderr ?? ''}`.trim().split('\n').slice(-10).join('\n');
  throw new Error(`${program} ${args.join(' ')}: ${done.error?.message ?? said}`);
}

const installers = {
  pypi: (dir, packages) => {
    run('python3', ['-m', 'venv', dir], '.');
    const options = ['--quiet', '--disable-pip-version-check', '--no-input'];
    run(join(dir, 'bin', 'python'), ['-m', 'pip', 'install', ...options, ...packages], dir);
  },
  npm: (dir, packages) => {
    writeFileSync(join(dir, 'package.json'), '{ "private": true }\n');
    // A tunnel that a bridge brings along, and that nothing here opens, wants a newer Node.
    const options = ['--no-audit', '--no-fund', '--loglevel=error', '--save-exact', '--engine-strict=false'];
    run('npm', ['install', ...options, ...packages], dir);
  },
};

/** Installs a server unless it is there already in these versions. @returns where it is */
export function install(root, { name, from, packages }) {
  const dir = join(root, '.cache', 'servers', name);
  const mark = join(dir, 'installed.json');
  const wanted = JSON.stringify({ from, packages });
  if (existsSync(mark) && readFileSync(mark, 'utf8') === wanted) return dir;
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(dir, { recursive: true });
  installers[from](dir, packages);
  writeFileSync(mark, wanted);
  return dir;
}
