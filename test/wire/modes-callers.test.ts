import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { root } from './support/build.js';
import { wireCase } from './support/cases.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import { as, hashes, recall, reload } from './support/steps.js';

const tiers = readFileSync(join(root, 'policies', 'bundle', 'tiers', 'data.yaml'), 'utf8');
const burst = 3;
const data = t.testdir({
  'tiers.yaml': tiers.replace('rate: 300, per: 60, burst: 50', `rate: 60, per: 60, burst: ${burst}`),
});
const config = { policy: { data } };
const program = await startProgram(t, { config });
const { keys } = program;
const hashing = { hashes: true } as const;
const tokenFile = join(program.dir, 'st');

await wireCase(t, program, { name: 'X-API-Key and several prefixes', allow: hashing }, async (one) => {
  const request = await one.passes('X-API-Key', recall(`X-API-Key: ${keys.KA.text}`));
  one.t.strictSame(request.values('x-auth-key-id'), [keys.KA.id], 'it is the same key');
  await one.passes('in lower case', recall(`x-api-key: ${keys.KA.text}`));
  const other = await one.passes('a key of the other prefix', as(keys.KO.text));
  one.t.strictSame(other.values('x-auth-key-id'), [keys.KO.id], 'is itself');
  const from = await hashes(program);
  const swapped = (text: string, prefix: string): string => `${prefix}${text.slice(text.indexOf('_', 4))}`;
  await one.refused('a key under a prefix that nobody has', as(swapped(keys.KA.text, 'foo_key')), { status: 401 });
  await one.refused('a key under the other prefix', as(`kor${keys.KA.text.slice('engram_key'.length)}`), {
    status: 401,
  });
  one.t.equal(await hashes(program), from, 'without a hash');
});

await wireCase(t, program, { name: 'JW-17 (static token)' }, async (one) => {
  const request = await one.passes('ST', as(keys.ST));
  one.t.strictSame(request.values('x-auth-subject'), ['st'], 'by its name');
  one.t.strictSame(request.values('x-auth-key-id'), [], 'it is no key');
  await one.refused('a part of it', as(keys.ST.slice(0, -1)), { status: 401 });
  await one.refused('more than it', as(`${keys.ST}A`), { status: 401 });
  await one.refused('in upper case', as(keys.ST.toUpperCase()), { status: 401 });
  await one.refused('with a blank inside', as(`${keys.ST} x`), { status: 401 });
  // A blank at the end of a header's line belongs to the line, not to the value (RFC 9110 §5.5): the token is the same one.
  await one.passes('a blank behind it', as(`${keys.ST} `));
  await one.refused(
    'what it may not',
    as(keys.ST).replace('GET /api/v1/memories/recall?q=x', 'DELETE /api/v1/memories/m'),
    { status: 403 },
  );
});

const lookMs = 500;

await wireCase(t, program, { name: 'a static token is exchanged by writing its file anew' }, async (one) => {
  const next = keys.ST.split('').reverse().join('');
  await writeFile(`${tokenFile}.new`, `${next}\n`, { mode: 0o600 });
  await rename(`${tokenFile}.new`, tokenFile);
  const changedMs = performance.now();
  while ((await one.send(as(next))).answers[0]?.status !== 200 && performance.now() - changedMs < 10 * lookMs)
    await sleep(50);
  await one.passes('the new one, without its line end', as(next));
  await one.refused('the old one', as(keys.ST), { status: 401 });
  await writeFile(tokenFile, keys.ST, { mode: 0o600 });
  await reload(one);
  await one.passes('the old one again, by reload', as(keys.ST));
});

await t.test('JW-17 (start)', async (t) => {
  const refused = async (name: string, staticToken: string): Promise<void> => {
    await t.rejects(startProgram(t, { staticToken }), /ended at start \(1\): .*static_tokens/s, name);
  };
  await refused('an empty file', '');
  await refused('nothing but a line end', '\n');
  await refused('a short token', 'short');
});

await wireCase(t, program, { name: 'limits are told and held', allow: hashing }, async (one) => {
  const key = await makeKey('limited', { spaces: ['alpha'], permissions: ['MemoryRead'], tier: 'premium' });
  await program.writeManifest([key]);
  await reload(one);
  for (let left = burst - 1; left >= 0; left -= 1) {
    const [answer] = (await one.send(as(key.text))).answers;
    one.t.equal(answer?.status, 200, 'passes');
    one.t.equal(answer?.header('x-ratelimit-limit'), '60', 'the limit');
    one.t.match(answer?.header('ratelimit-policy'), /^"tier";q=60;w=60$/, 'in the form of the IETF');
    const remaining = Number(answer?.header('x-ratelimit-remaining'));
    one.t.ok(remaining === left || remaining === left + 1, `what is left: ${remaining}`); // one may have come back meanwhile
    one.t.equal(
      answer?.header('ratelimit')?.startsWith(`"tier";r=${remaining};t=`),
      true,
      'the same in the form of the IETF',
    );
    const resetInS = Number(answer?.header('x-ratelimit-reset')) - Date.now() / 1_000;
    one.t.ok(resetInS > -2 && resetInS < 61, `when it is full again, in Unix seconds (in ${resetInS.toFixed(1)} s)`);
  }
  let answer = (await one.send(as(key.text))).answers[0];
  for (let n = 0; n < burst && answer?.status === 200; n += 1) answer = (await one.send(as(key.text))).answers[0];
  one.t.equal(answer?.status, 429, '429');
  const retryAfter = Number(answer?.header('retry-after'));
  one.t.ok(Number.isInteger(retryAfter) && retryAfter >= 1 && retryAfter <= 2, `Retry-After: ${retryAfter}`);
  one.t.match(answer?.json(), { error: { type: 'rate_limit_error', retry_after: retryAfter } }, 'and in the body');
  one.t.equal(answer?.header('x-ratelimit-remaining'), '0', 'nothing is left');
  one.t.equal(
    one.forwarded.filter(({ values }) => values('x-auth-key-id')[0] === key.id).length >= burst,
    true,
    'no more than passed',
  );
  await sleep(retryAfter * 1_000);
  await one.passes('after that time', as(key.text));
  await program.writeConfig({ ...config, limits: { headers: { legacy: false, ietf: false } } });
  await reload(one);
  const [silent] = (await one.send(as(key.text))).answers;
  const told = silent?.headers.map(([name]) => name.toLowerCase()).filter((name) => name.includes('ratelimit'));
  one.t.strictSame(told, [], 'the headers can be switched off');
  await program.writeConfig(config);
  await reload(one);
});
