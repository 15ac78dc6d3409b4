import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import t from 'tap';
import { createAuthorize } from '../../src/authorize/authorize.js';
import { ok } from '../../src/base/result.js';
import { createGate } from '../../src/gate/gate.js';
import { refusals } from '../../src/model/codes.js';
import { permissions } from '../../src/model/permissions.js';
import { freePlace } from '../../src/model/place.js';
import { Identity } from '../../src/model/proofs.js';
import type { RequestBody } from '../../src/model/request.js';
import { anonymous, type Subject } from '../../src/model/subject.js';
import { createResolveCall, loadProfile, type Profile } from '../../src/resolve/resolve.js';
import { countingMeter, fakeClock, loaded, shipped, trail } from '../authorize/fixtures/stage.js';
import { namesOf } from '../resolve/fixtures/pairs.js';
import { root } from '../wire/support/build.js';

/*
 * As carrier-pairs.test.ts, for gRPC: every method of every profile that has one × every field and header that may name a space × every pair
 * of them, through the gate, the compiled profile and the shipped policy.
 */

type Call = Profile['data']['grpc'][number];

/** A header (`header:NAME`) or a string of the message (`field:PATH`), and the space that it names. */
interface Stated {
  readonly place: string;
  readonly space: string;
}

const folder = join(root, 'config', 'profiles');
const profiles: readonly Profile[] = await Promise.all(
  readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .sort()
    .map(async (name) => {
      const read = await loadProfile(join(folder, name));
      if (!read.ok) throw new Error(JSON.stringify(read.why));
      return read.value;
    }),
);
const withCalls = profiles.filter(({ data }) => data.grpc.length > 0);

const policy = await loaded(shipped);
const authorize = createAuthorize({ policy, readonly: false, clock: fakeClock(), meter: countingMeter().meter });
const keyOf = (space: string): Subject => ({
  ...anonymous,
  kind: 'api_key',
  id: 'k1',
  permissions: [...permissions],
  spaces: [space],
  tier: 'unlimited',
});

const isField = ({ place }: Stated): boolean => place.startsWith('field:');
const pathOf = (place: string): string => place.slice(place.indexOf(':') + 1);
const fieldsOf = ({ space }: Call): readonly string[] => (Array.isArray(space) ? space : []);

function placesOf({ data }: Profile, call: Call): readonly string[] {
  const headers = data.space.carriers.flatMap((one) =>
    Object.entries(one).flatMap(([kind, name]) => (kind === 'header' ? [`header:${String(name)}`] : [])),
  );
  return [...fieldsOf(call).map((path) => `field:${path}`), ...headers];
}

interface Tree {
  readonly [number: string]: string | Tree;
}

/** Protobuf by hand: lengths here are short. */
const encoded = (tree: Tree): Buffer =>
  Buffer.concat(
    Object.entries(tree).map(([number, value]) => {
      const content = typeof value === 'string' ? Buffer.from(value) : encoded(value);
      return Buffer.concat([Buffer.from([Number(number) * 8 + 2, content.length]), content]);
    }),
  );

function messageOf(stated: readonly Stated[]): Buffer {
  const tree: Record<string, string | Record<string, string>> = {};
  for (const { place, space } of stated.filter(isField)) {
    const [outer = '', inner] = pathOf(place).split('.');
    tree[outer] = inner === undefined ? space : { [inner]: space };
  }
  const message = encoded(tree);
  return Buffer.concat([Buffer.from([0, 0, 0, 0, message.length]), message]);
}

const bodyOf = (message: Buffer): RequestBody => ({
  framing: 'none',
  length: null,
  isComplete: false,
  received: 0,
  collect: () => Promise.resolve(ok(message)),
  stream: () => Readable.from([]),
  discard: () => Promise.resolve(),
});

/** What the stages say: a status, or the space that was decided on. */
function outcomes(profile: Profile): (call: Call, stated: readonly Stated[]) => Promise<number | string> {
  const [alpha, beta] = namesOf(profile.data);
  const known = new Set([alpha, beta, profile.data.space.default ?? '']);
  const gate = createGate({
    allowedHosts: new Set(),
    isTrustedProxy: () => false,
    protectedHeaders: [...profile.dropHeaders],
  });
  const resolve = createResolveCall({ profile, isKnownSpace: (name) => known.has(name), maxMessageBytes: 65_536 });
  return async (call, stated) => {
    const headers = stated.filter((one) => !isField(one)).flatMap(({ place, space }) => [pathOf(place), space]);
    const request = gate({
      id: 'r',
      receivedAtMs: 0,
      startedMs: 0,
      httpVersion: '1.1',
      peerAddress: '127.0.0.1',
      place: freePlace,
      method: 'POST',
      target: `/${call.method}`,
      rawHeaders: ['Host', 'localhost', 'content-type', 'application/grpc', ...headers],
      body: bodyOf(messageOf(stated)),
    });
    const head = request.ok ? resolve(request.value, null) : request;
    const target = head.ok ? await head.value.complete() : head;
    if (!target.ok) return refusals[target.why.code].status;
    const identity = Identity.verified(keyOf(alpha), () => null);
    const permit = authorize(identity, target.value, trail());
    if (!permit.ok) return refusals[permit.why.code].status;
    const { all, ids } = target.value.facts.spaces;
    return all ? 'ALL' : ids.join();
  };
}

/** The rules of the contract, from the data alone. */
function wantedOf({ data }: Profile, call: Call, stated: readonly Stated[]): number | string {
  const [alpha] = namesOf(data);
  const [first = '', ...others] = stated.map(({ space }) => space);
  const spots = stated.map(({ place }) => place.toLowerCase());
  if (new Set(spots).size < spots.length || others.some((space) => space !== first)) return 400;
  const present = new Set(call.field_rules.filter((rule) => rule.is_present === true).map(({ field }) => field));
  const outer = new Set(stated.filter(isField).map(({ place }) => pathOf(place).split('.')[0] ?? ''));
  if ([...outer].filter((field) => present.has(field)).length > 1) return 400;
  if (call.space === 'ALL' || call.space === 'UNSCOPED') return 403;
  if (Array.isArray(call.space)) {
    const isNamed = spots.includes(`field:${call.space[0] ?? ''}`);
    const absence = call.absent ?? data.space.absent;
    if (!isNamed && absence === 'ALL') return 400;
    if (!isNamed && (absence !== 'default' || data.space.default !== first)) return 400;
  }
  if (typeof call.space === 'object' && 'fixed' in call.space && call.space.fixed !== first) return 400;
  return first === alpha ? alpha : 403;
}

function casesOf(profile: Profile, call: Call): readonly (readonly Stated[])[] {
  const places = placesOf(profile, call);
  const names = namesOf(profile.data);
  const single = places.flatMap((place) => names.map((space) => [{ place, space }]));
  const pairs = places.flatMap((one, at) =>
    places.slice(at + 1).flatMap((other) =>
      names.flatMap((a) =>
        names.map((b) => [
          { place: one, space: a },
          { place: other, space: b },
        ]),
      ),
    ),
  );
  const twice = places
    .filter((place) => place.startsWith('header:'))
    .flatMap((place) =>
      names.map((space) => [
        { place, space: names[0] },
        { place, space },
      ]),
    );
  return [...single, ...pairs, ...twice];
}

t.ok(withCalls.length > 0, 'a profile has calls');

for (const profile of withCalls)
  t.test(`${profile.data.name}: every field and header, and every pair of them, in every call`, async (t) => {
    const [alpha] = namesOf(profile.data);
    const outcome = outcomes(profile);
    const counts: Record<string, number> = { 400: 0, 403: 0, [alpha]: 0 };
    const wrong: string[] = [];
    for (const call of profile.data.grpc)
      for (const stated of casesOf(profile, call)) {
        const [got, wanted] = [await outcome(call, stated), wantedOf(profile, call, stated)];
        const name = `${call.id}: ${stated.map(({ place, space }) => `${place}=${space}`).join(', ')}`;
        if (got !== wanted) wrong.push(`${name}: ${String(got)}, wanted ${String(wanted)}`);
        counts[String(wanted)] = (counts[String(wanted)] ?? 0) + 1;
      }
    t.strictSame(wrong.slice(0, 20), [], `${wrong.length} are wrong`);
    t.comment(JSON.stringify(counts));
    t.ok(
      Object.values(counts).every((count) => count > 10),
      'each ending occurs',
    );
  });
