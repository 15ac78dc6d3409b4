// Variants that only make sense beside memgate itself: bare forwarding, no program at all, many keys, many spaces.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newKey } from '../../dist/identify/identify.js';
import { newKeys } from './control.mjs';

const counts = { stored: 10_000, used: 64, cold: 16, spaces: 500 };
/** The owner by whom the policy of peers/ finds the principal of the load. */
const wish = {
  owner: 'key-007',
  spaces: ['*'],
  permissions: ['MemoryRead', 'MemoryWrite', 'MemoryDelete'],
  tier: 'bench',
};
const authorizations = (keys) => keys.map((Authorization) => ({ Authorization }));

const bare = {
  note: 'our forward room behind a plain server of Node, nothing decided',
  ports: 1,
  checks: 'open',
  procs: [{ role: 'node', cmd: ['{{NODE}}', '{{ROOT}}/bench/bare.mjs', '{{P0}}', '{{UPSTREAM}}'] }],
};

/** Ids and hashes of keys that nobody holds: they are looked past, never computed. */
function writeManifest(directory, count) {
  mkdirSync(directory, { recursive: true });
  const text = (bytes) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  const entries = Array.from({ length: count }, (_, index) => ({
    id: newKey('engram_key').id,
    hash: `$argon2id$v=19$m=19456,t=2,p=1$${text(16)}$${text(32)}`,
    name: `stored-${index}`,
    spaces: ['*'],
    permissions: ['MemoryRead'],
    tier: 'bench',
  }));
  writeFileSync(join(directory, 'many.yaml'), JSON.stringify({ keys: entries })); // JSON is YAML
}

/** Keys that take turns from request to request. */
const rotating = (count) => async (vars) => {
  const keys = await newKeys(vars, { count, ...wish });
  return { AUTH: keys[0], ROTATE: authorizations(keys) };
};

const manyKeys = (memgate) => ({
  ...memgate,
  name: 'memgate-keys-10000',
  note: 'memgate with 10,000 keys more, 64 keys asking in turn',
  files: { 'memgate.yaml': 'bench/configs/many-keys.yaml' },
  scenarios: ['keys-10000'],
  prepare: async (vars) => {
    writeManifest(join(vars.DIR, 'keys'), counts.stored);
    return memgate.prepare(vars);
  },
  ready: rotating(counts.used),
});

const cold = (memgate) => ({
  ...memgate,
  note: 'memgate that remembers one key, 16 keys asking in turn: each is verified with Argon2id',
  files: { 'memgate.yaml': 'bench/configs/one-key-cache.yaml' },
  scenarios: ['cold-keys'],
  ready: rotating(counts.cold),
});

const spaceNames = Array.from({ length: counts.spaces }, (_, index) => `space-${index}`);
const ownPolicy = (memgate, spaces) => ({
  ...memgate,
  note: `memgate with its own policy, a key for ${spaces.length === 1 ? '1 space' : `${spaces.length} spaces, all asked in turn`}`,
  checks: 'read',
  files: { 'memgate.yaml': 'bench/configs/own-policy.yaml', 'policy-data/tiers.yaml': 'bench/configs/tiers.yaml' },
  scenarios: ['spaces-500'],
  prepare: undefined,
  ready: async (vars) => {
    const [AUTH] = await newKeys(vars, { count: 1, ...wish, spaces });
    const ROTATE = spaces.map((space) => ({ 'X-Memory-Space': space }));
    return { AUTH, TARGET: '/api/v1/memories/recall?query=tea&limit=5', HEADERS: ROTATE[0], ROTATE };
  },
});

/** @param memgate the variant of peers/ that these are made from */
export const ownVariants = (memgate) => [
  {
    name: 'direct',
    note: 'nothing: straight to the upstream',
    ports: 0,
    checks: 'open',
    procs: [],
    scenarios: ['rate-1000', 'rate-3000'],
  },
  { name: 'memgate-bare', ...bare },
  { name: 'memgate-bare-again', copyOf: 'memgate-bare', ...bare },
  { ...cold(memgate), name: 'memgate-cold' },
  { ...cold(memgate), name: 'memgate-cold-again', copyOf: 'memgate-cold' },
  manyKeys(memgate),
  { ...ownPolicy(memgate, spaceNames.slice(0, 1)), name: 'memgate-own' },
  { ...ownPolicy(memgate, spaceNames.slice(0, 1)), name: 'memgate-own-again', copyOf: 'memgate-own' },
  { ...ownPolicy(memgate, spaceNames), name: 'memgate-spaces-500' },
];
