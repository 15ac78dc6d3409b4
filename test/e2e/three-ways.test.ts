import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { policy as build } from '../cli/policy-program.js';
import { startProgram } from '../wire/support/program.js';
import { as } from '../wire/support/steps.js';
import { send } from '../wire/support/wire.js';

/* A change of a rule that compiles, and lets everybody into every space: it is caught before it is in force, in three ways. */

const root = process.cwd();
const program = await startProgram(t, { warm: false });
const { KA, KB } = program.keys;
const policy = (...args: readonly string[]): ReturnType<typeof program.command> => program.command(['policy', ...args]);

const sources = join(program.dir, 'policies');
cpSync(join(root, 'policies'), sources, { recursive: true });
const spaces = join(sources, 'bundle', 'memgate', 'spaces', 'spaces.rego');
const good = readFileSync(spaces, 'utf8');
writeFileSync(spaces, good.replace('count(_foreign) == 0', 'count(_foreign) >= 0'));
const wrong = join(program.dir, 'wrong.tar.gz');
const built = await build('build', sources, '--output', wrong);
if (built.code !== 0 || readFileSync(spaces, 'utf8') === good) throw new Error(`no wrong policy: ${built.stderr}`);

/** Statuses of one request in alpha of its owner, and of three of a stranger. */
async function asked(): Promise<readonly number[]> {
  const statuses: number[] = [];
  for (const { text } of [KA, KB, KB, KB]) statuses.push((await send(program.port, as(text))).answers[0]?.status ?? 0);
  return statuses;
}
const asItShouldBe = [200, 403, 403, 403];

await t.test('by shadow: the difference is counted while nobody is let in', async (t) => {
  t.equal((await policy('shadow', wrong)).code, 0);
  t.strictSame(await asked(), asItShouldBe);
  // On a busy machine a question may have no turn in time; it is counted as not asked then.
  const seen = /^memories\.recall +alpha +[01] +0 +[1-3] +0 +0/m;
  let report = await policy('shadow-report', '--fail-on-difference');
  for (let tries = 0; tries < 10 && !seen.test(report.stdout); tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    report = await policy('shadow-report', '--fail-on-difference');
  }
  t.equal(report.code, 1, report.stdout);
  t.match(report.stdout, seen, 'who was refused would be allowed, and nobody loses anything');
  t.equal((await policy('drop')).code, 0);
});

await t.test('by replay: what was decided would have been decided otherwise', async (t) => {
  const { code, stdout } = await policy('replay', '--bundle', wrong, '--fail-on-difference');
  t.equal(code, 1, stdout);
  t.match(stdout, /^would_allow +3 +memories\.recall +api_key:\S+ +alpha +deny \(space\.forbidden\) +allow/m);
});

await t.test('by cases: the reload is refused, and what was in force stays', async (t) => {
  await program.writeConfig({ policy: { bundle: wrong, cases: join(sources, 'cases') } });
  const { code, stdout, stderr } = await program.command(['reload']);
  t.equal(code, 1, stderr);
  t.match(stdout + stderr, /cases\/\S+\.yaml:\d+:\d+: case "[^"]+": .*allow is true, wanted false/);
  t.equal(await program.metric('config_last_reload_successful'), 0, 'the alarm is set');
  t.strictSame(await asked(), asItShouldBe);
});

await t.test(
  'and without any of them it would have been in force: the change is as wrong as it is meant to be',
  async (t) => {
    await program.writeConfig({ policy: { bundle: wrong } });
    t.equal((await program.command(['reload'])).code, 0);
    t.strictSame(await asked(), [200, 200, 200, 200]);
  },
);
