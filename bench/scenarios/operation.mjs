// What an operator does, and asks about, while requests come.
import { ask } from '../ask.mjs';
import { headersOf } from '../checks.mjs';
import { controlOf, newKeys } from '../own/control.mjs';
import { wrk } from '../wrk.mjs';
import { isDeciding, kinds } from './which.mjs';

const connections = 64;
const coldKeys = 100;
const owner = 'key-007';

const documents = (variant, { seconds }) =>
  wrk({
    url: `http://127.0.0.1:${variant.port}${variant.vars.TARGET}`,
    headers: headersOf(variant),
    connections,
    seconds,
  });

async function reloadInTheMiddle(variant, { seconds }) {
  await new Promise((resolve) => setTimeout(resolve, seconds * 300));
  const fromMs = performance.now();
  await (await controlOf(variant.vars)).reload();
  return performance.now() - fromMs;
}

/** Each of them has to be verified with Argon2id, which leaves memory behind; once for each variant. */
const verified = new WeakSet();
async function verifyColdKeys(variant) {
  if (verified.has(variant)) return;
  verified.add(variant);
  const wish = { owner, spaces: ['*'], permissions: ['MemoryRead'], tier: 'bench' };
  for (const Authorization of await newKeys(variant.vars, { count: coldKeys, ...wish })) {
    const { status } = await ask(variant.port, variant.vars.TARGET, { headers: { Authorization } });
    if (status !== 200) throw new Error(`${variant.name} answers ${status} to a new key`);
  }
}

export default [
  {
    name: 'reload-under-load',
    note: 'GET, answer of 1 KB, 64 connections, one reload in each row',
    variants: isDeciding,
    load: async (variant, options) => {
      const [result, reloadMs] = await Promise.all([documents(variant, options), reloadInTheMiddle(variant, options)]);
      return { ...result, extra: { reloadMs } };
    },
  },
  {
    name: 'memory-64',
    note: `GET, answer of 1 KB, 64 connections, after ${coldKeys} cold keys (where keys are verified slowly)`,
    variants: kinds,
    open: (variant) => (isDeciding(variant) ? verifyColdKeys(variant) : undefined),
    load: documents,
  },
];
