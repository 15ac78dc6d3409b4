// What the gateway of a benchmark is set up with: limits that every request passes and none is stopped by.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const inPackage = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const plenty = 1_000_000;
const bucket = (id, key) => ({ id, key, algorithm: 'token_bucket', rate: plenty, per: 1, burst: plenty, cost: 1 });
const window = (id, key) => ({ id, key, algorithm: 'sliding_window', rate: plenty, per: 1, cost: 1 });
const tiers = { bench: { limits: [bucket('tier', ['subject']), window('space', ['client', 'space'])] } };

/** Options of `auth create-key`. */
export const keyOptions = [
  ...['--name', 'bench', '--spaces', 'alpha', '--permissions', 'MemoryRead,MemoryWrite', '--tier', 'bench'],
];

/** Writes configuration and policy data below a directory; JSON is YAML. */
export function writeSetup(dir, upstream) {
  const data = join(dir, 'policy-data');
  mkdirSync(data);
  writeFileSync(join(data, 'tiers.yaml'), JSON.stringify({ free: { limits: [] }, ...tiers }));
  const config = {
    data_dir: join(dir, 'data'),
    profile: inPackage('config/profiles/engram.yaml'),
    policy: { bundle: inPackage('policies/dist/memgate.tar.gz'), data },
    gateway: { listen: '127.0.0.1:0' },
    admin: { listen: '127.0.0.1:0' },
    probes: { listen: '127.0.0.1:0' },
    upstream: { url: upstream },
    limits: { system: { rate: plenty, burst: plenty } },
    audit: { allow_tmpfs: true },
  };
  const file = join(dir, 'memgate.yaml');
  writeFileSync(file, JSON.stringify(config));
  return file;
}

/** Fails unless an answer tells where its limits stand: a load past no bucket would measure something else. */
export async function checkLimited(target, key) {
  const answer = await fetch(new URL('/api/v1/memories/recall?query=tea', target), {
    headers: { authorization: `Bearer ${key}`, 'x-memory-space': 'alpha' },
  });
  await answer.arrayBuffer();
  const limit = answer.headers.get('x-ratelimit-limit');
  if (answer.status !== 200 || limit !== String(plenty))
    throw new Error(`the answer ${answer.status} tells the limit ${limit}, not ${plenty}`);
}
