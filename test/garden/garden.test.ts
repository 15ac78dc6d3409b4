import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { root } from '../wire/support/build.js';
import { makeKey } from '../wire/support/keys.js';
import { isAsSent } from '../wire/support/meant.js';
import { startProgram } from '../wire/support/program.js';
import type { ReadRequest } from '../wire/support/strict-reader.js';
import type { Answer } from '../wire/support/wire.js';
import { Decided } from './support/decided.js';
import { seeds } from './support/mutants.js';
import { Pipe } from './support/pipe.js';
import { missingServers, startServers } from './support/servers.js';
import { Suspects } from './support/suspects.js';
import { Tee } from './support/tee.js';
import { numberOf, numbersIn, walk, type Sent } from './support/walk.js';

const given = (name: string, otherwise: number): number => Number(process.env[`MEMGATE_GARDEN_${name}`] ?? otherwise);
const seed = given('SEED', randomInt(2 ** 31));
const mutantsMax = given('REQUESTS', Infinity);
const usualSeconds = 60;
const secondsMax = given('SECONDS', mutantsMax === Infinity ? usualSeconds : Infinity);
const plan = { seed, from: given('FROM', 0), mutantsMax, secondsMax, lanes: 48 };
const controlMutants = 250;
/** Below this the mutants would test the refusals alone. */
const forwardedShareMin = 0.2;
const shownMax = 5;

const missing = missingServers();
const skip = missing.length > 0 && `${missing.join(', ')} not installed`;
const dir = mkdtempSync(join(tmpdir(), 'garden-'));
t.teardown(() => rmSync(dir, { recursive: true, force: true }));
const servers = skip === false ? await startServers(dir) : [];
t.teardown(() => Promise.all(servers.map((server) => server.stop())));
const versions = servers.map(({ name, version }) => `${name} ${version}`).join(', ');
const key = await makeKey('KG', {
  spaces: ['alpha'],
  permissions: ['MemoryRead', 'MemoryWrite', 'MemoryDelete', 'SystemHealth'],
});
t.comment(`seed ${seed}; reference servers: ${versions}`);

/** memgate with a route whose body is passed on while it comes: Engram's own profile has none. */
async function gateway(t: Test, tee: Tee): Promise<Awaited<ReturnType<typeof startProgram>>> {
  const profile = join(dir, 'profile.yaml');
  const text = readFileSync(join(root, 'config', 'profiles', 'engram.yaml'), 'utf8');
  const store = /( {2}- id: memories\.store\b[^]*?space: \[header:X-Memory-Space\]\n)/;
  writeFileSync(profile, text.replace(store, '$1    body: stream\n    body_reason: test only\n'));
  const config = { upstream: { url: `http://127.0.0.1:${tee.port}` }, profile };
  const program = await startProgram(t, { config, warm: false });
  await program.writeManifest([key]);
  t.equal((await program.reload()).status, 200, 'the key is known');
  return program;
}

/** Readings that reached nobody: of requests that nobody sent. */
const surplus = (): readonly string[] =>
  servers.flatMap(({ name, readings }) =>
    readings.drained().map(({ method, target }) => `${name}: ${method} ${target}`),
  );

t.test('servers read alike what memgate forwards', { skip }, async (t) => {
  const decided = new Decided();
  const awaited = new Map<number, ReadRequest>();
  const tee = new Tee(servers, ({ number, request }) => {
    decided.add(request);
    awaited.set(number, request);
  });
  await tee.start();
  t.teardown(() => tee.close());
  const program = await gateway(t, tee);
  const suspects = new Suspects(tee, program);
  const otherwise: string[] = [];

  const check = async ({ index, mutant }: Sent, answers: readonly Answer[]): Promise<void> => {
    suspects.note({ index, mutant }, numbersIn(answers));
    for (const [at, answer] of answers.entries()) {
      const request = awaited.get(numberOf(answer));
      if (request === undefined) continue;
      awaited.delete(numberOf(answer));
      if (!(await isAsSent(mutant.bytes, at, request)))
        otherwise.push(`mutant ${index}: ${request.method} ${request.target}`);
    }
  };

  const startedMs = performance.now();
  const tally = await walk({ ...plan, target: program, seeds: seeds(key.text), done: check });
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  const { requests } = tee;
  const found = tee.findings.length;
  await suspects.explain(t, seed);
  const explained = tee.findings.length; // shortening has found them again
  await program.stop(); // what it still had to forward or to record is done then
  await tee.settled();

  const undecided = await decided.differences(program.auditDir);
  const unsent = surplus();
  const misread = found + tee.findings.length - explained;
  const disagreements = misread + undecided.length + otherwise.length + unsent.length;
  t.comment(`R19: ${JSON.stringify({ seed, ...tally, requests, disagreements, seconds, versions })}`);
  t.equal(misread, 0, 'all servers have read the same method, target, headers and body, and one request');
  t.strictSame(undecided.slice(0, shownMax), [], 'and it is what was decided on');
  t.strictSame(otherwise.slice(0, shownMax), [], 'and what was sent');
  t.strictSame(unsent.slice(0, shownMax), [], 'and there is nothing besides');
  t.ok(tally.forwarded >= tally.mutants * forwardedShareMin, 'enough of them are forwarded');
  if (tally.mutants > controlMutants)
    t.ok(tally.refused >= tally.mutants * forwardedShareMin, 'and enough are refused');
});

t.test('without memgate they do not', { skip }, async (t) => {
  const decided = new Decided();
  const tee = new Tee(servers, ({ request }) => decided.add(request));
  await tee.start();
  t.teardown(() => tee.close());
  const pipe = new Pipe(tee.port);
  await pipe.start();
  t.teardown(() => pipe.close());
  const suspects = new Suspects(tee, pipe);
  const note = async (sent: Sent, answers: readonly Answer[]): Promise<void> => suspects.note(sent, numbersIn(answers));

  await walk({ ...plan, mutantsMax: controlMutants, secondsMax: 60, target: pipe, seeds: seeds(key.text), done: note });
  const between = tee.findings.filter(({ what }) => what.some((each) => each.startsWith('between servers')));
  t.comment(
    `control: ${controlMutants} mutants, ${tee.findings.length} disagreements, ${between.length} between the servers`,
  );
  t.ok(between.length > 0, 'the servers disagree about what a pipe forwards');
  const short = await suspects.firstShortened(tee.findings);
  t.not(short, null, 'a disagreement is shortened');
  t.comment(`  for example: ${JSON.stringify(short?.toString('latin1'))}`);
  t.ok((await decided.differences(dir)).length >= decided.count, 'and nothing of it was decided on');
  surplus();
});
