import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { recall } from './support/client.js';
import { howMany, inPackage, isInstalled, leaveOut } from './support/environment.js';
import { quantile, say, tenths } from './support/figures.js';
import { addKey, makePlace, startProgram } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const pushes = howMany(20, 3);
const debounceMs = 200;
const lateMs = 30_000;

const git = (cwd: string, ...args: readonly string[]): void => {
  const identity = ['-c', 'user.name=team', '-c', 'user.email=team@example.org', '-c', 'init.defaultBranch=main'];
  execFileSync('git', [...identity, ...args], { cwd, stdio: 'ignore' });
};

t.test(`${pushes} times from git push to the first decision of the new generation`, async (t) => {
  if (!isInstalled('git')) {
    leaveOut(t, 'no git');
    return;
  }
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const policy = { bundle: inPackage('policies/dist/memgate.tar.gz'), data: './live', budget_ms: 200 };
  const reload = { watch: true, debounce_ms: debounceMs };
  const place = await makePlace(t, recorder.url, { policy, reload });
  const [work, bare, live] = ['work', 'policies.git', 'live'].map((name) => join(place.dir, name)) as [
    string,
    string,
    string,
  ];
  for (const dir of [work, live]) mkdirSync(dir);
  git(place.dir, 'init', '--bare', bare);
  git(work, 'init');
  git(work, 'remote', 'add', 'origin', bare);
  // What a team's server runs when somebody has pushed: the checkout that memgate watches is brought up to date.
  const hook = join(bare, 'hooks', 'post-receive');
  writeFileSync(hook, `#!/bin/sh\nexec git --work-tree=${live} --git-dir=${bare} checkout -f main\n`);
  chmodSync(hook, 0o755);
  const commit = (n: number): 200 | 403 => {
    const mayRead = n % 2 === 0;
    writeFileSync(join(work, 'roles.yaml'), `reader: { permissions: { ${mayRead ? 'MemoryRead: true' : ''} } }\n`);
    git(work, 'add', '-A');
    git(work, 'commit', '-m', `rights ${n}`);
    return mayRead ? 200 : 403;
  };
  commit(0);
  git(work, 'push', 'origin', 'HEAD:main');
  t.match(readFileSync(join(live, 'roles.yaml'), 'utf8'), /MemoryRead/, 'the hook has filled the checkout');
  const reader = await addKey(place, {
    name: 'reader',
    spaces: ['alpha'],
    permissions: [],
    roles: ['reader'],
    tier: 'unlimited',
  });
  const program = await startProgram(t, place);
  t.equal((await recall(program.gateway, reader)).status, 200);

  const took: number[] = [];
  const behindHook: number[] = [];
  for (let n = 1; n <= pushes; n += 1) {
    const want = commit(n);
    const fromMs = performance.now();
    git(work, 'push', 'origin', 'HEAD:main');
    const pushedMs = performance.now();
    while ((await recall(program.gateway, reader)).status !== want && performance.now() - fromMs < lateMs)
      await after(5);
    const endMs = performance.now();
    t.ok(endMs - fromMs < lateMs, `push ${n} is in force`);
    took.push(endMs - fromMs);
    behindHook.push(endMs - pushedMs);
  }
  t.equal(await program.stop(), 0);
  say(t, {
    id: 'push',
    promise: `from git push to the first decision of the new generation, ${pushes} times`,
    method: `local bare repository, a post-receive hook checks out into a watched directory; reload.debounce_ms is ${debounceMs}; a request every 5 ms; begins before git push`,
    figure: {
      pushes,
      p50_ms: tenths(quantile(took, 0.5)),
      worst_ms: tenths(Math.max(...took)),
      behind_the_hook_p50_ms: tenths(quantile(behindHook, 0.5)),
      behind_the_hook_worst_ms: tenths(Math.max(...behindHook)),
    },
    ok: t.passing(),
  });
});
