import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { newManifestKey } from '../../src/manage/manage.js';
import { recall } from './support/client.js';
import { howMany } from './support/environment.js';
import { say, tenths } from './support/figures.js';
import { bareProgram, launcher, settledMiB } from './support/memory.js';
import { makePlace, startProgram, type Place } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const keys = howMany(100, 16);
// One computation takes 19 MiB, and four threads take turns.
const keptMax = 19;

/** Keys that no process has seen yet. */
async function coldKeys(place: Place): Promise<readonly string[]> {
  const made: string[] = [];
  for (let n = 0; n < keys; n += 1) {
    const wish = { name: `cold ${n}`, spaces: ['alpha'], permissions: ['MemoryRead'], roles: [], tier: 'unlimited' };
    const key = await newManifestKey(wish, 'engram_key', systemClock);
    if (!key.ok) throw new Error(key.why.problems.join('; '));
    writeFileSync(join(place.dir, 'keys', `cold-${n}.yaml`), key.value.manifest);
    made.push(key.value.key);
  }
  return made;
}

interface Kept {
  readonly before: number;
  readonly after: number;
  readonly kept: number;
}

/** What a process holds in MiB before and after the first use of every key. */
async function keptAfter(t: Test, command: readonly [string, ...string[]]): Promise<Kept> {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url);
  const cold = await coldKeys(place);
  const program = await startProgram(t, place, { command });
  t.equal((await recall(program.gateway, place.keys.admin)).status, 403); // the one path of a request is loaded
  const before = await settledMiB(program.pid);
  for (const key of cold) {
    const { status } = await recall(program.gateway, key);
    if (status !== 200) t.fail(`${status}`);
  }
  const after = await settledMiB(program.pid);
  t.equal(await program.stop(), 0);
  return { before: tenths(before), after: tenths(after), kept: tenths(after - before) };
}

t.test(`the first use of ${keys} keys leaves less behind than one computation takes`, async (t) => {
  const launched = await keptAfter(t, launcher);
  t.ok(launched.kept < keptMax, `${launched.kept} MiB more`);
  const bare = await keptAfter(t, bareProgram);
  t.ok(bare.kept > keptMax, `and ${bare.kept} MiB more without the settings of bin/memgate, so that this can be seen`);
  say(t, {
    id: 'memory-keys',
    promise: `the first use of ${keys} keys leaves less than ${keptMax} MiB behind, what one Argon2 computation takes`,
    method: 'RSS before and after, each the middle of 21 samples within 2 s; the control is node without bin/memgate',
    figure: {
      rss_before_mib: launched.before,
      rss_after_mib: launched.after,
      grown_mib: launched.kept,
      control_grown_mib: bare.kept,
    },
    ok: t.passing(),
  });
});
