import { execFileSync, spawn } from 'node:child_process';
import { readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { once } from 'node:events';
import t from 'tap';

const launcher = resolve('bin/memgate');
const bare: NodeJS.ProcessEnv = { PATH: process.env['PATH'] };

/** Starts the demo's process by the launcher, and reads what the kernel knows of it. */
async function started(
  file: string,
  env: NodeJS.ProcessEnv,
): Promise<{ readonly command: readonly string[]; readonly environment: ReadonlyMap<string, string> }> {
  const child = spawn(file, ['demo', '--port', '0', '--format', 'json'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(child.stdout, 'data'); // the line of facts: it runs
    const read = (name: string): string[] => readFileSync(`/proc/${child.pid ?? 0}/${name}`, 'utf8').split('\0');
    const environment = new Map(
      read('environ').map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)] as const),
    );
    return { command: read('cmdline'), environment };
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
}

t.test('the launcher becomes node, with the settings of memory', async (t) => {
  const link = join(t.testdir(), 'memgate'); // as npm links it
  symlinkSync(launcher, link);
  const { command, environment } = await started(link, bare);
  t.match(command[0], /(?:^|\/)node$/, 'signals reach the program itself');
  t.strictSame(command.slice(1, 6), [
    '--no-memory-reducer',
    '--no-flush-bytecode',
    '--no-allocation-site-pretenuring',
    '--expose-gc',
    '--disable-proto=throw',
  ]);
  t.equal(environment.get('MALLOC_MMAP_THRESHOLD_'), '131072');
  t.match(environment.get('NODE_OPTIONS'), /^--max-semi-space-size=16 --max-old-space-size=256(?: |$)/); // the test runner adds its own
});

t.test('what the environment says wins', async (t) => {
  const own = { ...bare, MALLOC_MMAP_THRESHOLD_: '262144', NODE_OPTIONS: '--max-old-space-size=300' };
  const { environment } = await started(launcher, own);
  t.equal(environment.get('MALLOC_MMAP_THRESHOLD_'), '262144');
  t.match(
    environment.get('NODE_OPTIONS'),
    /--max-old-space-size=256 .*--max-old-space-size=300/,
    'the last one counts',
  );
});

t.test('the page on deployment tells the settings as they are', async (t) => {
  const text = readFileSync(launcher, 'utf8');
  const page = readFileSync('docs/howto/deploy.md', 'utf8');
  const value = (pattern: RegExp): string => pattern.exec(text)?.[1] ?? 'none';
  t.match(page, new RegExp(`\`MALLOC_MMAP_THRESHOLD_\` +\\| ${value(/THRESHOLD_-(\d+)/)} `));
  t.match(page, new RegExp(`\`--max-semi-space-size\` \\(Node\\) +\\| ${value(/--max-semi-space-size=(\d+)/)} MiB`));
  t.match(page, new RegExp(`\`--max-old-space-size\` \\(Node\\) +\\| ${value(/--max-old-space-size=(\d+)/)} MiB`));
  for (const flag of text.match(/(?<=exec node .*)--[a-z-]+/g) ?? []) t.match(page, `\`${flag}`);
  t.match(readFileSync('deploy/Dockerfile', 'utf8'), /^ENTRYPOINT \["\/app\/bin\/memgate"\]$/m);
  t.match(readFileSync('deploy/systemd/memgate.service', 'utf8'), /^ExecStart=\S+\/bin\/memgate serve /m);
});

t.test('the package holds what it needs to run, and maps that need no sources', async (t) => {
  const [packed] = JSON.parse(
    execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { encoding: 'utf8' }),
  ) as [{ readonly files: readonly { readonly path: string; readonly mode: number }[] }];
  const modes = new Map(packed.files.map(({ path, mode }) => [path, mode]));
  t.equal((modes.get('bin/memgate') ?? 0) & 0o111, 0o111, 'it can be executed');
  for (const path of [
    'LICENSE',
    'README.md',
    'dist/cli/cli.js',
    'policies/dist/memgate.tar.gz',
    'policies/bundle/.manifest',
    'policies/bundle/memgate/authz/authz_test.rego',
    'policies/cases/roles.yaml',
    'policies/capabilities.json',
    'config/profiles/engram.yaml',
  ])
    t.ok(modes.has(path), path);
  const { sources, sourcesContent } = JSON.parse(readFileSync('dist/cli/cli.js.map', 'utf8')) as Record<
    string,
    string[]
  >;
  t.equal(sourcesContent?.length, sources?.length);
});
