import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { refusals } from '../../src/model/codes.js';
import { Identity, type Target } from '../../src/model/proofs.js';
import { permissions } from '../../src/model/permissions.js';
import { anonymous, type Subject } from '../../src/model/subject.js';
import { createAuthorize } from '../../src/authorize/authorize.js';
import { loadProfile, type Profile } from '../../src/resolve/resolve.js';
import { countingMeter, fakeClock, loaded, shipped, trail } from '../authorize/fixtures/stage.js';
import { createPass } from '../resolve/fixtures/pass.js';
import {
  casesOf,
  namesOf,
  placesOf,
  wantedOf,
  writtenOf,
  type PairCase,
  type Route,
} from '../resolve/fixtures/pairs.js';
import { root } from '../wire/support/build.js';
import { makeKey, type FixtureKey } from '../wire/support/keys.js';
import { startProgram } from '../wire/support/program.js';
import { send } from '../wire/support/wire.js';

/*
 * Every profile that memgate brings × every route × every carrier × every pair of carriers: through the gate, the compiled profile
 * and the shipped policy, and a part of them through the running program. A new profile is taken up by itself.
 */

const folder = join(root, 'config', 'profiles');
const brought = readdirSync(folder)
  .filter((name) => name.endsWith('.yaml'))
  .sort();
const files = [
  ...brought.map((name) => join(folder, name)),
  join(root, 'test', 'resolve', 'fixtures', 'every-kind.yaml'), // kinds that no server has on one route
];
const profiles = await Promise.all(
  files.map(async (file): Promise<readonly [file: string, profile: Profile]> => {
    const read = await loadProfile(file);
    if (!read.ok) throw new Error(JSON.stringify(read.why));
    return [file, read.value];
  }),
);

/** Decided elsewhere than by carriers of HTTP: each has a test of its own. */
const isElsewhere = ({ protocol, stream }: Route): boolean => protocol !== undefined || stream === 'websocket';
const routesOf = (profile: Profile): readonly Route[] => profile.data.routes.filter((route) => !isElsewhere(route));
/** What the server answers decides as well, and the recorder in its place knows nothing: test/wire/sp-profile-objects.test.ts. */
const asksServer = ({ object, filter }: Route): boolean => object !== undefined || filter !== undefined;

const policy = await loaded(shipped);
const authorize = createAuthorize({ policy, readonly: false, clock: fakeClock(), meter: countingMeter().meter });
const keyOf = (space: string, claims: Subject['claims'] = {}): Subject => ({
  ...anonymous,
  kind: 'api_key',
  id: 'k1',
  permissions: [...permissions],
  spaces: [space],
  tier: 'unlimited',
  claims,
});

/** What the stages say: a status, or what they would forward. */
async function outcome(one: PairCase, profile: Profile): Promise<number | Target> {
  const [alpha, beta] = namesOf(profile.data);
  const { method, target, headers, body, claims } = writtenOf(one);
  const subject = keyOf(alpha, claims);
  const pass = createPass(profile, {
    subject,
    known: [alpha, beta, profile.data.space.default ?? ''],
    find: ({ rule, id }) => Promise.resolve(rule.list === null ? alpha : id),
  });
  const resolved = await pass.all({ method, target, headers, ...(body !== null && { body }) });
  if (!resolved.ok) return refusals[resolved.why.code].status;
  const permit = authorize(
    Identity.verified(subject, () => null),
    resolved.value,
    trail(),
  );
  return permit.ok ? resolved.value : refusals[permit.why.code].status;
}

/** Headers and query keys that name a space in what goes upstream, and are no part of a document or path. */
function written(profile: Profile, { facts }: Target): readonly string[] {
  const query = [...new URL(facts.forwardTarget, 'http://upstream').searchParams]
    .filter(([name]) => profile.queryCarriers.has(name))
    .map(([, value]) => value);
  return [...facts.setHeaders.map(([, value]) => value), ...query];
}

function complaint(profile: Profile, one: PairCase, got: number | Target): string | null {
  const wanted = wantedOf(one);
  if (typeof got === 'number') return got === wanted ? null : `${one.name}: ${String(got)}, wanted ${String(wanted)}`;
  const [alpha] = namesOf(profile.data);
  const { all, ids } = got.facts.spaces;
  if (wanted !== 'passes') return `${one.name}: passes, wanted ${String(wanted)}`;
  if (all || ids.join() !== alpha) return `${one.name}: decided on ${all ? 'ALL' : ids.join()}`;
  const carriers = written(profile, got);
  if (carriers.length > 1 || carriers.some((value) => !value.split(/[.:]/).includes(alpha)))
    return `${one.name}: forwarded ${JSON.stringify(carriers)}`;
  return null;
}

for (const [, profile] of profiles) {
  t.test(`${profile.data.name}: every carrier and every pair, on every route`, async (t) => {
    const wrong: string[] = [];
    const counts: Record<string, number> = { 400: 0, 403: 0, passes: 0 };
    for (const route of routesOf(profile)) {
      for (const one of casesOf(profile.data, route)) {
        const told = complaint(profile, one, await outcome(one, profile));
        if (told !== null) wrong.push(told);
        counts[String(wantedOf(one))] = (counts[String(wantedOf(one))] ?? 0) + 1;
      }
    }
    t.strictSame(wrong.slice(0, 20), [], `${String(wrong.length)} are wrong`);
    t.comment(JSON.stringify(counts));
    const hasPlaces = routesOf(profile).some(
      (route) => Array.isArray(route.space) && placesOf(profile.data, route).length > 0,
    );
    if (hasPlaces)
      t.ok(
        Object.values(counts).every((count) => count > 0),
        'each ending occurs',
      );
  });
}

type Mcp = { readonly tools: Readonly<Record<string, { readonly space: unknown }>> };

/** Arguments of a tool that name a space (`argument:NAME`, which the schema writes out), with what names this one there. */
const argumentsFor = (space: unknown, name: string): readonly (readonly [key: string, value: unknown])[] =>
  (Array.isArray(space) ? (space as readonly string[]) : []).flatMap((text) => {
    const [, form = '', key = ''] = /^body(-list|-any|-first|-uri)?:\/params\/arguments\/(.+)$/.exec(text) ?? [];
    if (key === '') return [];
    const isList = form === '-list' || form === '-first';
    return [[key, isList ? [name] : form === '-uri' ? `memory://${name}/notes` : name] as const];
  });

for (const [, profile] of profiles.filter(([, { data }]) => 'mcp' in data && data.mcp !== undefined)) {
  const { data } = profile;
  const { tools } = (data as unknown as { readonly mcp: Mcp }).mcp;
  const endpoint = data.routes.find(({ match }) => match.startsWith('POST '))?.match.slice('POST '.length) ?? '';
  const [alpha, beta] = namesOf(data);
  const headers = profile.headerCarriers.map(({ label }) => label);
  const call = async (
    tool: string,
    held: Readonly<Record<string, unknown>>,
    lines: readonly string[],
  ): Promise<number> => {
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: tool, arguments: held } };
    const pass = createPass(profile, { subject: keyOf(alpha), known: [alpha, beta] });
    const resolved = await pass.all({ method: 'POST', target: endpoint, headers: lines, body });
    if (!resolved.ok) return refusals[resolved.why.code].status;
    const permit = authorize(
      Identity.verified(keyOf(alpha), () => null),
      resolved.value,
      trail(),
    );
    return permit.ok ? 200 : refusals[permit.why.code].status;
  };

  t.test(
    `${data.name}: no argument of a tool, alone or beside another carrier, names a foreign space and passes`,
    async (t) => {
      const counts: Record<string, number> = {};
      const refused = (name: string, statuses: readonly number[], status: number): void => {
        counts[String(status)] = (counts[String(status)] ?? 0) + 1;
        if (!statuses.includes(status)) t.fail(`${name}: ${String(status)}`);
      };
      for (const [tool, { space }] of Object.entries(tools)) {
        const foreign = argumentsFor(space, beta);
        const own = argumentsFor(space, alpha);
        for (const [at, [key, value]] of foreign.entries()) {
          refused(`${tool} ${key}`, [400, 403], await call(tool, { [key]: value }, []));
          for (const header of headers)
            refused(`${tool} ${key}, ${header}`, [400], await call(tool, { [key]: value }, [header, alpha]));
          for (const [other, mine] of own.filter((_, index) => index !== at))
            refused(`${tool} ${key}, ${other}`, [400], await call(tool, { [key]: value, [other]: mine }, []));
        }
        for (const [key, value] of own) {
          const status = await call(tool, { [key]: value }, []);
          counts[`own ${String(status)}`] = (counts[`own ${String(status)}`] ?? 0) + 1;
        }
      }
      t.comment(JSON.stringify(counts));
      const isNamed = Object.values(tools).some(({ space }) => argumentsFor(space, alpha).length > 0);
      t.ok(!isNamed || (counts['own 200'] ?? 0) > 0, 'the own space passes');
    },
  );
}

/** Of each route the first case of each ending, alone and in a pair, where a key can state it. */
function sampleOf(profile: Profile): readonly PairCase[] {
  const routes = routesOf(profile).filter((route) => !asksServer(route));
  return routes.flatMap((route) => {
    const seen = new Set<string>();
    return casesOf(profile.data, route).filter((one) => {
      const kind = `${String(wantedOf(one))} ${String(one.stated.length)}`;
      if (seen.has(kind) || one.stated.some(({ place }) => place.startsWith('claim:'))) return false;
      seen.add(kind);
      return true;
    });
  });
}

const bytesOf = (one: PairCase, key: FixtureKey): string => {
  const { method, target, headers, body } = writtenOf(one);
  const lines = headers.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${headers[at + 1] ?? ''}\r\n`] : []));
  const isTyped = headers.includes('Content-Type');
  const framed =
    body === null
      ? '\r\n'
      : `${isTyped ? '' : 'Content-Type: application/json\r\n'}Content-Length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`;
  return `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${key.text}\r\n${lines.join('')}${framed}`;
};

t.test('the running program says the same, and forwards nothing that is refused', async (t) => {
  const program = await startProgram(t);
  const names = [...new Set(profiles.flatMap(([, profile]) => namesOf(profile.data)))];
  const keys = new Map(
    await Promise.all(
      names.map(
        async (space, at) => [space, await makeKey(`pairs ${String(at)}`, { spaces: [space], permissions })] as const,
      ),
    ),
  );
  await program.writeManifest([...keys.values()]);
  for (const [file, profile] of profiles) {
    await t.test(profile.data.name, async (t) => {
      await program.writeConfig({ profile: file });
      const reloaded = await program.reload();
      t.equal(reloaded.status, 200, JSON.stringify(reloaded.body));
      const key = keys.get(namesOf(profile.data)[0]);
      if (key === undefined) throw new Error('a profile without a key');
      const sample = sampleOf(profile);
      const wrong: string[] = [];
      for (const one of sample) {
        const mark = program.recorder.mark();
        const before = program.recorder.received;
        const { answers } = await send(program.port, bytesOf(one, key));
        const wanted = wantedOf(one);
        const status = answers[0]?.status ?? 0;
        const count = program.recorder.requestsSince(mark).length;
        const isRight =
          wanted === 'passes'
            ? status === 200 && count === 1
            : status === wanted && program.recorder.received === before;
        if (!isRight)
          wrong.push(`${one.name}: ${String(status)}, wanted ${String(wanted)}, ${String(count)} forwarded`);
      }
      t.strictSame(wrong, [], `${String(sample.length)} requests`);
    });
  }
});
