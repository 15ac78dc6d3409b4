// The policy data of every engine: 200 keys of 120 principals in 16 groups over 60 spaces. The same on every run.
import { createHash } from 'node:crypto';

const counts = { keys: 200, principals: 120, spaces: 60, groups: 16 };
const farAway = 4_102_444_800; // 2100-01-01
const longAgo = 1_600_000_000; // 2020-09-13

const named = (prefix, number, width) => `${prefix}-${String(number).padStart(width, '0')}`;
const spaceOf = (number) => named('space', number % counts.spaces, 2);
const groupOf = (number) => named('group', number % counts.groups, 2);
const principalOf = (number) => named('svc', number % counts.principals, 3);
const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const times = (count, entry) => Object.fromEntries(Array.from({ length: count }, (_, number) => entry(number)));
const each = (names, value) => Object.fromEntries(names.map((name) => [name, value]));

/** The name of a key in the data, and the owner of the key that memgate makes for it. */
export const labelOf = (number) => named('key', number, 3);

/** The credential that the peers know a key by. It opens nothing but this benchmark. */
export const peerKeyOf = (number) => `bench_${labelOf(number)}_${sha256(`memgate bench key ${number}`).slice(0, 40)}`;

const read = ['docs.read', 'memory.read', 'search.query', 'tags.read'];
const write = [...read, 'docs.write', 'memory.write'];
const edit = [...write, 'docs.delete', 'memory.delete', 'tags.write'];
const own = [...edit, 'members.read', 'members.write', 'space.admin'];
const rolePermissions = {
  reader: read,
  writer: write,
  editor: edit,
  owner: own,
  operator: ['metrics.read', 'space.admin'],
};
const spaceRoles = ['reader', 'writer', 'editor', 'owner'];

const verb = (permission, writes, audit = 'short') => ({ permission, writes, audit });
const resource = (name) => ({
  GET: verb(`${name}.read`, false),
  ...each(['POST', 'PUT', 'PATCH'], verb(`${name}.write`, true)),
  DELETE: verb(`${name}.delete`, true, 'full'),
});
const routes = {
  ...Object.fromEntries(['docs', 'memory', 'tags', 'members'].map((name) => [name, resource(name)])),
  search: each(['GET', 'POST'], verb('search.query', false)),
};

const bucket = (id, key, [rate, per, burst]) => ({ id, key, algorithm: 'token_bucket', rate, per, burst, cost: 1 });
const tierOf = (perMinute) => ({ limits: [bucket('tier', ['subject'], [perMinute, 60, perMinute / 10])] });
// Nobody reaches these, but both buckets are looked up, refilled and taken from for each request.
const plenty = [200_000, 1, 100_000];
const tiers = {
  ...{ free: tierOf(60), basic: tierOf(300), pro: tierOf(1_000), enterprise: tierOf(5_000) },
  bench: { limits: [bucket('tier', ['subject'], plenty), bucket('space', ['client', 'space'], plenty)] },
};

const space = (number) => ({
  visibility: number % 20 === 19 ? 'public' : 'private',
  frozen: number % 25 === 24,
  labels: { sensitive: number % 10 === 3, pii: number % 15 === 4 },
});

const group = (number) => ({
  spaces: Object.fromEntries([0, 1, 2, 3].map((n) => [spaceOf(number * 7 + n * 11), spaceRoles[(number + n) % 3]])),
});

const principal = (number) => ({
  disabled: number % 40 === 39,
  global_role: number === 90 ? 'editor' : '',
  groups: [groupOf(number), groupOf(number * 5 + 3)],
  spaces: Object.fromEntries([0, 1, 2].map((n) => [spaceOf(number + n * 13), spaceRoles[(number + n) % 4]])),
});

// The principal of the load: an editor here, a reader there, and two groups.
const principalOfLoad = {
  ...principal(7),
  groups: [groupOf(2), groupOf(9)],
  spaces: { [spaceOf(7)]: 'editor', [spaceOf(20)]: 'reader', [spaceOf(33)]: 'owner' },
};

function networksOf(number) {
  if (number % 20 === 11) return ['192.0.2.0/24', '2001:db8::/32'];
  return number % 2 === 1 ? ['10.0.0.0/8', '127.0.0.0/8'] : [];
}

const key = (number) => ({
  principal: principalOf(number),
  tier: number === 7 ? 'bench' : ['free', 'basic', 'pro', 'enterprise'][number % 4],
  expires: number % 50 === 24 ? longAgo : farAway,
  revoked: number % 50 === 49,
  scopes: number % 10 === 8 ? ['docs.read', 'search.query'] : [],
  cidrs: networksOf(number),
});

/**
 * The data of the policies.
 *
 * @param nameOf number of a key → the name that the engine finds it by
 */
export function policyData(nameOf) {
  const principals = times(counts.principals, (number) => [principalOf(number), principal(number)]);
  const spaces = times(counts.spaces, (number) => [spaceOf(number), space(number)]);
  return {
    access: {
      settings: { maintenance: false },
      roles: Object.fromEntries(
        Object.entries(rolePermissions).map(([name, list]) => [name, { permissions: each(list, true) }]),
      ),
      routes,
      spaces,
      groups: times(counts.groups, (number) => [groupOf(number), group(number)]),
      principals: { ...principals, [principalOf(7)]: principalOfLoad },
      keys: times(counts.keys, (number) => [nameOf(number), key(number)]),
    },
    tiers,
    spaces: { known: each(Object.keys(spaces), true) },
  };
}

/** The peers find a key by the digest of the credential. */
export const peerData = () => policyData((number) => sha256(peerKeyOf(number)));

/** memgate verifies the credential itself; the policy finds the rest by the owner of the key. */
export const memgateData = () => policyData(labelOf);
