// Builds what the variants share, into .cache/peers/policy: the data, the peers' policy as Wasm, and the same policy as a bundle of memgate.
// `node bench/peers/build.mjs`; what is there already and has the digest of its sources stays.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, findTools, members } from '../../scripts/policies.mjs';
import { memgateData, peerData } from './data.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const root = join(here, '..', '..');
const capabilities = join(root, 'policies', 'capabilities.json');

/** Everything below is made by programs and ignored by Git; it is on the file system of the repository. */
export const cacheDir = join(root, '.cache', 'peers');
const target = join(cacheDir, 'policy');

/** Files that are built. */
export const built = {
  /** Data of the peers. */
  data: join(target, 'data.json'),
  /** The peers' policy for the Wasm runtime of Node. */
  wasm: join(target, 'policy.wasm'),
  /** Policy and data for memgate. */
  bundle: join(target, 'memgate.tar.gz'),
  /** The data in that bundle. */
  memgateData: join(target, 'memgate-data.json'),
  digest: join(target, 'digest'),
};

/** Files under a folder of ours, in order. */
const filesIn = (folder) =>
  readdirSync(join(here, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(here.length))
    .sort();

const digestOf = () =>
  [...filesIn('policy'), ...filesIn('policy-memgate'), 'data.mjs', 'build.mjs']
    .reduce((hash, name) => hash.update(`${name}\0`).update(readFileSync(join(here, name))), createHash('sha256'))
    .update(readFileSync(capabilities))
    .digest('hex');

const isFresh = (digest) =>
  Object.values(built).every((file) => existsSync(file)) && readFileSync(built.digest, 'utf8') === digest;

/** The peers' policy as Wasm; without our list of built-ins, as they have none. */
async function buildPeers(opa, dir) {
  writeFileSync(join(dir, 'data.json'), JSON.stringify(peerData()));
  const file = join(dir, 'peers.tar.gz');
  const args = ['build', '-t', 'wasm', '-b', '.', '--ignore', 'mask.rego', '-o', file];
  execFileSync(opa, args, { cwd: join(here, 'policy'), stdio: 'pipe' });
  writeFileSync(join(dir, 'policy.wasm'), (await members(file)).get('/policy.wasm'));
  rmSync(file);
}

/** The bundle that memgate loads: its own capabilities, its data inside. */
function buildMemgate(opa, dir, digest) {
  const source = join(dir, 'source');
  cpSync(join(here, 'policy-memgate'), source, { recursive: true });
  const data = JSON.stringify(memgateData());
  writeFileSync(join(dir, 'memgate-data.json'), data);
  writeFileSync(join(source, 'data.json'), data);
  build(opa, { directory: source, revision: digest.slice(0, 32), target: join(dir, 'memgate.tar.gz') });
  rmSync(source, { recursive: true });
}

/** Builds what is not fresh. Two at a time do not disturb each other: the result appears at once. */
export async function buildPolicies() {
  const digest = digestOf();
  if (isFresh(digest)) return built;
  const { opa } = findTools();
  if (opa === null) throw new Error('there is no opa in .cache/bin: node scripts/policies.mjs builds it where Go is');
  mkdirSync(cacheDir, { recursive: true });
  const dir = mkdtempSync(join(cacheDir, 'building-'));
  try {
    await buildPeers(opa, dir);
    buildMemgate(opa, dir, digest);
    writeFileSync(join(dir, 'digest'), digest);
    rmSync(target, { recursive: true, force: true });
    renameSync(dir, target);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return built;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const files = await buildPolicies();
  process.stdout.write(`${Object.values(files).join('\n')}\n`);
}
