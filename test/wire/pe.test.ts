import t from 'tap';
import { badBundle, shipped } from './support/bundle.js';
import { wireCase, type Case } from './support/cases.js';
import { makeKey, type FixtureKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import { as, reload } from './support/steps.js';

// A policy that goes wrong in the way that the owner of the key is named after, and is right for everybody else.
const data = t.testdir({ 'tiers.yaml': 'unlimited: { limits: [] }\n' });
const bundle = badBundle('misbehaving');
const program = await startProgram(t, { config: { policy: { bundle, data } } });
const hashing = { hashes: true } as const;

const keys = new Map<string, FixtureKey>();
const key = (fault: string): string => keys.get(fault)?.text ?? '';

async function makeKeys(): Promise<void> {
  const names = ['undefined', 'text', 'number', 'list', 'empty', 'no-fields', 'truthy', 'reasons', 'limit'];
  for (const owner of [...names, 'mask', 'header', 'duty', 'conflict', 'memory']) {
    keys.set(owner, await makeKey(owner, { spaces: ['alpha'], permissions: ['MemoryRead'], owner }));
  }
  await program.writeManifest([...keys.values()]);
}

const broken = { status: 503, code: 'policy.failed' } as const;

await t.test('keys whose owners are named after faults', async (t) => {
  await makeKeys();
  t.equal((await program.reload()).status, 200);
});

await wireCase(t, program, { name: 'PE-01', allow: hashing }, async (one) => {
  await one.passes('the policy decides on others', one.good);
  await one.refused('a request on which it has no opinion', as(key('undefined')), {
    status: 403,
    code: 'policy.undefined',
  });
});

await wireCase(t, program, { name: 'PE-02', allow: hashing }, async (one) => {
  const results: Readonly<Record<string, string>> = {
    text: 'a text that says true',
    number: 'the number 1',
    empty: 'an empty object',
    truthy: 'an object whose allow says yes',
    list: 'an empty list',
    'no-fields': 'nothing but allow',
    reasons: 'an allow with reasons against it',
    limit: 'a limit by something unknown',
  };
  for (const [fault, name] of Object.entries(results)) await one.refused(name, as(key(fault)), broken);
});

await wireCase(t, program, { name: 'PE-11', allow: hashing }, async (one) => {
  await one.refused('a mask', as(key('mask')), broken);
  await one.refused('a header', as(key('header')), broken);
  await one.refused('a duty of a later version', as(key('duty')), broken);
});

const throws = 100;
const errors = (kind: string): Promise<number> => program.metric(`policy_errors_total{kind="${kind}"}`);
const replaced = (): Promise<number> => program.metric('policy_instances_replaced_total');

/** How many instances were replaced while the policy threw this often. */
async function throwing(one: Case, fault: string, times: number): Promise<number> {
  const [from, before] = [await replaced(), await errors(fault)];
  for (let n = 0; n < times; n += 1) await one.refused(`${fault} ${n}`, as(key(fault)), broken);
  one.t.equal((await errors(fault)) - before, times, `${fault}: each is counted`);
  return (await replaced()) - from;
}

await wireCase(t, program, { name: 'PE-03', allow: hashing }, async (one) => {
  one.t.ok((await throwing(one, 'conflict', throws)) > throws / 2, 'the instance is made anew');
  one.t.equal(await throwing(one, 'memory', 3), 3, 'also when it wanted too much memory');
  await one.passes('others are decided on all the time', one.good);
  await program.writeConfig({ policy: { bundle: shipped } });
  await reload(one);
  await one.passes('a good policy by reload is in force', as(key('conflict')));
  await program.writeConfig({ policy: { bundle, data } });
  await reload(one);
  await one.refused('and the bad one again', as(key('conflict')), broken);
});
