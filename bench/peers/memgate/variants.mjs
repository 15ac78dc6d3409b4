// memgate itself: the key made by its own command (Argon2id), the ported policy, the limits of a tier that nobody reaches, the record on disk.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { buildPolicies } from '../build.mjs';
import { labelOf, memgateData } from '../data.mjs';
import { startOfImage } from './image.mjs';

const run = promisify(execFile);
const image = startOfImage();
const keyOfLoad = 7; // svc-007: editor in space-07, reader in space-20

/** The tier that the data gives to a key. */
export const tierOf = (number) => memgateData().access.keys[labelOf(number)].tier;

/** Options of `auth create-key` for a key of the data. The policy narrows the spaces; the tier is the data's. */
export const keyOptions = (number, tier) => [
  ...['--name', labelOf(number), '--owner', labelOf(number), '--spaces', '*', '--tier', tier],
  ...['--permissions', 'MemoryRead,MemoryWrite,MemoryDelete'],
];

/** Makes a key for the running program. Gives the whole credential. */
export async function makeKey({ program, config, number, tier }) {
  const args = [program, 'auth', 'create-key', '--config', config, '--format', 'json', ...keyOptions(number, tier)];
  const { stdout } = await run(process.execPath, args);
  return JSON.parse(stdout).key;
}

/** What all variants of memgate have in common. */
export const memgate = {
  needs: ['{{PROGRAM}}', '{{OPA}}'],
  ports: 3,
  checks: 'proxy',
  procs: [
    {
      role: 'memgate',
      cmd: ['{{NODE}}', ...image.options, '{{PROGRAM}}', 'serve', '--config', '{{DIR}}/memgate.yaml'],
      env: image.env,
      readyLine: '"msg":"started"',
    },
  ],
  prepare: async () => ({ BUNDLE: (await buildPolicies()).bundle }),
  ready: async ({ PROGRAM: program, DIR }) => ({
    AUTH: `Bearer ${await makeKey({ program, config: `${DIR}/memgate.yaml`, number: keyOfLoad, tier: tierOf(keyOfLoad) })}`,
  }),
};
const configured = (kind) => ({ ...memgate, files: { 'memgate.yaml': `memgate-${kind}.yaml` } });

export const memgateVariants = [
  { name: 'memgate', note: 'key cached, policy, two limits, strict audit', ...configured('strict') },
  { name: 'memgate-again', copyOf: 'memgate', ...configured('strict') },
  { name: 'memgate-buffered', note: 'the same, reads recorded without waiting', ...configured('buffered') },
  // Blocks nothing: only what it passes on can be checked.
  { name: 'memgate-observe', note: 'the same, decides and records only', ...configured('observe'), checks: 'open' },
];
