import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { verifyAuditLog } from '../../src/record/record.js';
import { allRecords } from './support/audit.js';
import { memgate, recall } from './support/client.js';
import { howMany, leaveOut } from './support/environment.js';
import { say } from './support/figures.js';
import { Ledger } from './support/ledger.js';
import { addKey, makePlace, startProgram, type Program } from './support/program.js';
import { openRecorder } from './support/recorder.js';
import { startTraffic, unexcused } from './support/traffic.js';

const rate = howMany(100, 30);
const backSteps = howMany(10, 3);
const [hour, year] = [3_600, 31_536_000];
const limitWindowMs = 2_000;
const shortLifeMs = 4_000;

/** Debian and others keep it in a directory per architecture. */
const library = ['x86_64-linux-gnu', 'aarch64-linux-gnu']
  .map((arch) => `/usr/lib/${arch}/faketime/libfaketimeMT.so.1`)
  .find((file) => existsSync(file));

/** The wall clock of a program, by a file. The monotonic one is left alone, as a step leaves it alone. */
class FakeClock {
  readonly #file: string;
  steps = 0;
  #offsetS = 0;

  constructor(dir: string) {
    this.#file = join(dir, 'clock');
    writeFileSync(this.#file, '+0');
  }

  get env(): Readonly<Record<string, string>> {
    return {
      LD_PRELOAD: library ?? '',
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    };
  }

  /** Sets it so many seconds beside the real time, and waits until the program has noticed. */
  async set(offsetS: number): Promise<void> {
    if (offsetS !== this.#offsetS) this.steps += 1;
    this.#offsetS = offsetS;
    writeFileSync(`${this.#file}.new`, `${offsetS < 0 ? '' : '+'}${offsetS}`);
    renameSync(`${this.#file}.new`, this.#file);
    await after(600);
  }
}

const statusOf = async (program: Program, key: string): Promise<number> => (await recall(program.gateway, key)).status;

/** How long a caller that has used up its limit waits until it may again, in ms. */
async function lockedOutMs(program: Program, key: string): Promise<number> {
  while ((await statusOf(program, key)) !== 429);
  const fromMs = performance.now();
  while ((await statusOf(program, key)) !== 200 && performance.now() - fromMs < 30_000) await after(20);
  return Math.round(performance.now() - fromMs);
}

t.test('R14: steps of the wall clock under load', async (t: Test) => {
  if (library === undefined) {
    leaveOut(t, 'steps of the clock (libfaketime is not installed)');
    return;
  }
  const recorder = await openRecorder({ keeps: false });
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url, {
    policy: { bundle: join(process.cwd(), 'policies/dist/memgate.tar.gz'), data: './policy-data', budget_ms: 200 },
  });
  mkdirSync(join(place.dir, 'policy-data'));
  const limit = `{ id: tier, key: [subject], algorithm: sliding_window, rate: 5, per: ${limitWindowMs / 1_000}, cost: 1 }`;
  writeFileSync(
    join(place.dir, 'policy-data', 'tiers.yaml'),
    `free: { limits: [] }\nunlimited: { limits: [] }\ntight:\n  limits:\n    - ${limit}\n`,
  );
  const rights = { spaces: ['alpha'], permissions: ['MemoryRead'], tier: 'unlimited' } as const;
  const limited = await addKey(place, { ...rights, name: 'limited', tier: 'tight' });
  const short = await addKey(place, { ...rights, name: 'short', expiresInMs: shortLifeMs });
  const halfHour = await addKey(place, { ...rights, name: 'half-hour', expiresInMs: 1_800_000 });
  const clock = new FakeClock(place.dir);
  const program = await startProgram(t, place, { env: clock.env });
  const ledger = new Ledger(place.auditDir);
  recorder.onArrival = ({ id }) => {
    ledger.arrived(id);
  };
  t.equal(await statusOf(program, short), 200, 'the short-lived key works at first, and is remembered');
  t.equal(await statusOf(program, halfHour), 200);
  while ((await statusOf(program, short)) === 200) await after(50);
  const load = { gateway: program.gateway, key: place.keys.alpha, rate };
  const traffic = startTraffic({ ...load, streams: 2, streamMs: 3_000, isCalm: () => true });

  const lockOuts: number[] = [];
  let wronglyAccepted = 0;
  const hold = async (what: string, offsetS: number, want: { readonly halfHour: number }): Promise<void> => {
    await clock.set(offsetS);
    const status = await statusOf(program, short);
    if (status === 200) wronglyAccepted += 1;
    t.equal(status, 401, `${what}: a key that had expired stays so`);
    t.equal(await statusOf(program, halfHour), want.halfHour, `${what}: one with half an hour left`);
    lockOuts.push(await lockedOutMs(program, limited));
  };
  await hold('an hour ahead', hour, { halfHour: 401 });
  await hold('back in time', 0, { halfHour: 200 });
  await hold('an hour behind', -hour, { halfHour: 200 });
  await hold('two years behind', -2 * year, { halfHour: 200 });
  await hold('two years ahead', 2 * year, { halfHour: 401 });
  for (let n = 1; n <= backSteps; n += 1) await clock.set(2 * year - n);
  await hold('in time again', 0, { halfHour: 200 });
  await traffic.stop();
  t.equal(await program.stop(), 0);
  ledger.finish();

  const wrong = unexcused(traffic.misses, traffic.stalls);
  t.strictSame(wrong.slice(0, 5), [], 'nobody else notices');
  t.strictSame(ledger.problems, [], 'R1 holds');
  const longest = Math.max(...lockOuts);
  // A busy machine makes a wait longer, a clock that is ahead by an hour makes it an hour.
  t.ok(longest <= limitWindowMs * 2.5, `a limit of ${limitWindowMs} ms locked nobody out for longer: ${longest} ms`);
  const verdict = await verifyAuditLog(place.auditDir);
  t.strictSame(verdict.problems, [], 'the chain verifies');
  const told = (await allRecords(place.auditDir)).filter(({ type }) => type === 'security.clock-stepped');
  t.equal(told.length, clock.steps, 'each step is in the log');
  const at = verdict.notices.filter(({ message }) => message.includes('stepped'));
  t.equal(at.length, clock.steps, 'and verification tells where');
  const shown = await memgate('audit', 'verify', '--audit-dir', place.auditDir);
  t.equal(shown.code, 0);
  t.match(shown.stdout, /:\d+: clock: the clock of the process stepped by -\d/);
  t.match(readFileSync(join(place.dir, 'clock'), 'utf8'), '+0');
  say(t, {
    id: 'R14',
    promise:
      '±1 h, ±2 y and back-steps of 1 s under load: no expired credential accepted, no lock-out longer than its window, each step told',
    method: `libfaketime with a control file in front of the real program, its monotonic clock left alone; ${rate} requests/s of every kind beside`,
    figure: {
      steps: clock.steps,
      steps_told: told.length,
      expired_accepted: wronglyAccepted,
      longest_lock_out_ms: longest,
      window_ms: limitWindowMs,
      requests: traffic.sent,
      failed: wrong.length,
    },
    ok: t.passing(),
  });
});
