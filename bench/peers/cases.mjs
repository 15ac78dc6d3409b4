// Writes cases.json: requests and the verdict that every engine has to give on them. The verdicts come from `verdictOf`, a third reading
// of the rules, in plain JavaScript. `node bench/peers/cases.mjs`, `--check` only compares.
import { readFileSync, writeFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { fileURLToPath } from 'node:url';
import { labelOf, memgateData } from './data.mjs';

const file = fileURLToPath(new URL('cases.json', import.meta.url));
const nowS = 1_795_000_000; // any moment between the two expiries of the data
const { access } = memgateData();

/** Keys of the data that differ in what they may do, and why they are asked. */
const keys = {
  plain: [0, 2, 5], // two with roles of their own and of groups, one from the near networks
  ofLoad: [7, 127], // two keys of one principal, of different tiers
  scoped: [8, 18],
  networked: [11, 31],
  everywhere: [90],
  dead: [24, 49, 39], // expired; revoked; of a principal that is switched off
};
const addresses = ['127.0.0.1', '10.200.3.4', '192.0.2.77', '203.0.113.9', '2001:db8::5', '2001:db9::5'];
const local = addresses[0];
const oddSpaces = ['space-19', 'space-24', 'space-39', 'space-49', 'space-59', 'space-13', 'space-34', 'space-99'];

const withId = (name) => `${name}/item-1`;
const asked = [
  ...[withId('docs'), 'docs'].flatMap((path) => ['GET', 'POST'].map((method) => [method, path])),
  ...['PUT', 'PATCH', 'DELETE'].map((method) => [method, withId('docs')]),
  ...[withId('memory'), withId('tags'), withId('members')].flatMap((path) =>
    ['GET', 'POST', 'DELETE'].map((method) => [method, path]),
  ),
  ...['GET', 'POST', 'DELETE'].map((method) => [method, 'search']),
  ...['GET', 'DELETE'].map((method) => [method, withId('nope')]),
];

// Where a proxy writes the decoded path into a policy input as it is, the second `path` wins, and that is a space of the caller.
const pathThatWritesInput = '/api/v1/spaces/space-41/docs/x%22,%22path%22:%22/api/v1/spaces/space-07/docs/x';

/** Spaces of a principal, its own and those of its groups. */
function spacesOf(number) {
  const { spaces, groups } = access.principals[access.keys[labelOf(number)].principal];
  return [...Object.keys(spaces), ...groups.flatMap((group) => Object.keys(access.groups[group].spaces))];
}

const at = (list, index) => list[index % list.length];
const request = (key, [method, path], { space, from = local }) => ({
  key,
  method,
  path: `/api/v1/spaces/${space}/${path}`,
  from,
});

function requests() {
  const all = [];
  const every = Object.values(keys).flat();
  for (const [index, key] of every.entries()) {
    const own = spacesOf(key);
    for (const [n, verb] of asked.entries()) all.push(request(key, verb, { space: at(own, n + index) }));
    for (const [n, space] of oddSpaces.entries()) {
      all.push(request(key, at(asked, n * 3 + index), { space }), request(key, asked[0], { space }));
    }
    for (const from of addresses) all.push(request(key, asked[0], { space: at(own, index), from }));
  }
  // Nothing but the frozen space stands against these, for the role holds everywhere.
  for (const space of ['space-24', 'space-49']) {
    for (const verb of asked) all.push(request(keys.everywhere[0], verb, { space }));
  }
  for (const key of ['none', 'unknown']) {
    for (const verb of asked.slice(0, 4)) all.push(request(key, verb, { space: 'space-07' }));
    all.push(request(key, asked[0], { space: 'space-19' }));
  }
  all.push({ key: keys.ofLoad[0], method: 'GET', path: pathThatWritesInput, from: local });
  return [...new Map(all.map((one) => [JSON.stringify(one), one])).values()];
}

function isWithin(address, networks) {
  const list = new BlockList();
  const familyOf = (text) => (isIP(text) === 6 ? 'ipv6' : 'ipv4');
  for (const [start, bits] of networks.map((network) => network.split('/')))
    list.addSubnet(start, Number(bits), familyOf(start));
  return list.check(address, familyOf(address));
}

const holds = (role, permission) => access.roles[role]?.permissions[permission] === true;

function placeReasons({ space, route }) {
  const reasons = [];
  if (route === undefined) reasons.push('route.unknown');
  if (space === undefined) reasons.push('space.unknown');
  if (route?.writes && space?.frozen) reasons.push('space.frozen');
  if (route?.writes && access.settings.maintenance) reasons.push('switch.maintenance');
  return reasons;
}

function keyReasons(key, permission, from) {
  if (key === undefined) return ['credential.unknown'];
  const reasons = [];
  if (key.revoked) reasons.push('credential.revoked');
  if (key.expires <= nowS) reasons.push('credential.expired');
  if (access.principals[key.principal].disabled) reasons.push('principal.disabled');
  if (key.scopes.length > 0 && !key.scopes.includes(permission)) reasons.push('credential.scope');
  if (key.cidrs.length > 0 && !isWithin(from, key.cidrs)) reasons.push('credential.network');
  return reasons;
}

function isGranted({ key, spaceId, space, permission }) {
  const principal = access.principals[key?.principal] ?? { groups: [], spaces: {}, global_role: '' };
  const roles = [principal, ...principal.groups.map((name) => access.groups[name])].map(
    ({ spaces }) => spaces[spaceId],
  );
  if (space?.visibility === 'public') roles.push('reader');
  return [...roles, principal.global_role].some((role) => role !== undefined && holds(role, permission));
}

/** The rules once more, read from the data alone. */
function verdictOf({ key: number, method, path, from }) {
  const [, , , , spaceId, resource] = path.split('/');
  const space = access.spaces[spaceId];
  const route = access.routes[resource]?.[method];
  const permission = route?.permission ?? '';
  const key = typeof number === 'number' ? access.keys[labelOf(number)] : undefined;
  const reasons = [...placeReasons({ space, route }), ...keyReasons(key, permission, from)];
  if (!isGranted({ key, spaceId, space, permission })) reasons.push('permission.missing');
  return { allow: reasons.length === 0, reasons: reasons.sort() };
}

/** One case a line. */
export function render() {
  const cases = requests().map((one) => ({ ...one, ...verdictOf(one) }));
  return `[\n${cases.map((one) => `  ${JSON.stringify(one)}`).join(',\n')}\n]\n`;
}

/** The committed cases. */
export const readCases = () => JSON.parse(readFileSync(file, 'utf8'));

/** True when the committed cases are those of the data and the rules. */
export const isCurrent = () => readFileSync(file, 'utf8') === render();

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (!process.argv.includes('--check')) writeFileSync(file, render());
  else if (!isCurrent()) {
    process.stderr.write('bench/peers/cases.json differs: node bench/peers/cases.mjs\n');
    process.exitCode = 1;
  }
}
