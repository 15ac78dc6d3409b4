import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { brokenInputs, keeper, type BrokenInput } from './support/broken-inputs.js';
import { memgate, metric, recall, reload } from './support/client.js';
import { howMany, inPackage } from './support/environment.js';
import { say } from './support/figures.js';
import { makePlace, startProgram, type Place, type Program } from './support/program.js';
import { openRecorder } from './support/recorder.js';

// One good reload and the two other ways in are tried behind every so many broken inputs.
const every = howMany(1, 28);

interface Refused {
  readonly generation: string;
  readonly problems: readonly string[];
}

const lastReload = async ({ probes }: Program): Promise<number | undefined> =>
  (await metric(probes, 'config_last_reload_successful')).get('{}');

const isFailure = (line: string): boolean => line.includes('"msg":"config.reload-failed"');
const failures = (program: Program): number => program.log().split('\n').filter(isFailure).length;

interface Trial {
  readonly place: Place;
  readonly program: Program;
  readonly generation: string;
}

/** The answer names the file, the line where there is one, and the reason. */
function tells(t: Test, { file, hasLine, says }: BrokenInput, problems: readonly string[]): void {
  const found = problems.find((problem) => says.test(problem)) ?? problems[0] ?? '';
  t.match(found, says, 'the reason');
  t.ok(found.includes(file), `the file: ${found}`);
  if (hasLine) t.match(found.slice(found.indexOf(file) + file.length), /^:[1-9]\d*:\d+: /, `the line: ${found}`);
}

async function byRequest(t: Test, broken: BrokenInput, { place, program, generation }: Trial): Promise<void> {
  const { status, body } = await reload(program.admin, place.keys.admin);
  const answer = JSON.parse(body) as Refused;
  t.equal(status, 422, body);
  t.equal(answer.generation, generation, 'the old generation is in force');
  tells(t, broken, answer.problems);
  t.equal(await lastReload(program), 0, 'the metric says so');
  t.equal((await recall(program.gateway, place.keys.alpha)).status, 200, 'and requests go on');
}

async function byOtherWays(t: Test, broken: BrokenInput, { place, program, generation }: Trial): Promise<void> {
  const before = failures(program);
  program.signal('SIGHUP');
  for (let n = 0; n < 1_000 && failures(program) === before; n += 1) await after(5);
  t.equal(failures(program), before + 1, 'SIGHUP: the log tells');
  const told = program.log().split('\n').filter(isFailure).at(-1) ?? '{}';
  tells(t, broken, (JSON.parse(told) as Refused).problems);

  const command = await memgate('reload', '--data-dir', place.dataDir, '--format', 'json');
  t.equal(command.code, 1, 'memgate reload fails');
  const answer = JSON.parse(command.stdout) as Refused;
  t.equal(answer.generation, generation);
  tells(t, broken, answer.problems);

  const { stdout } = await memgate('status', '--data-dir', place.dataDir, '--format', 'json');
  const status = JSON.parse(stdout) as { generation: { hash: string }; last_reload_failure: Refused };
  t.equal(status.generation.hash, generation, 'memgate status shows the old generation');
  tells(t, broken, status.last_reload_failure.problems);
}

t.test(`R6: ${brokenInputs.length} broken inputs keep the old generation`, async (t) => {
  t.ok(brokenInputs.length >= 40);
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const policy = { bundle: './policy.tar.gz', data: './policy-data', budget_ms: 200 };
  const place = await makePlace(t, recorder.url, { profile: './profile.yaml', policy });
  copyFileSync(inPackage('config/profiles/engram.yaml'), join(place.dir, 'profile.yaml'));
  copyFileSync(inPackage('policies/dist/memgate.tar.gz'), join(place.dir, 'policy.tar.gz'));
  mkdirSync(join(place.dir, 'policy-data'));
  const restore = keeper(place.dir);
  const program = await startProgram(t, place);
  const first = await reload(program.admin, place.keys.admin);
  t.equal(first.status, 200, first.body);
  const { generation } = JSON.parse(first.body) as Refused;
  const trial = { place, program, generation };

  for (const [index, broken] of brokenInputs.entries()) {
    await t.test(broken.name, async (t) => {
      const isMore = index % every === 0;
      broken.breaks(join(place.dir, broken.file));
      try {
        await byRequest(t, broken, trial);
        if (isMore) await byOtherWays(t, broken, trial);
      } finally {
        restore(broken.file);
      }
      if (!isMore) return;
      const { status, body } = await reload(program.admin, place.keys.admin);
      t.equal(status, 200, `put right, it loads: ${body}`);
      t.equal((JSON.parse(body) as Refused).generation, generation);
      t.equal(await lastReload(program), 1, 'and the metric is 1 again');
    });
  }
  t.equal((await reload(program.admin, place.keys.admin)).status, 200);
  t.equal(await lastReload(program), 1);
  t.equal(await program.stop(), 0);
  say(t, {
    id: 'R6',
    promise:
      'every one of at least 40 broken inputs keeps the old generation, is told with file and reason, and sets the metric',
    method:
      'one broken file at a time, reloaded by the admin API; SIGHUP and memgate reload behind some or all of them',
    figure: { broken_inputs: brokenInputs.length, kept: t.passing() ? brokenInputs.length : null },
    ok: t.passing(),
  });
});
