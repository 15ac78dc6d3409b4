// What an operator does with the running memgate of a variant, through its control socket: no process for each key.
import { join } from 'node:path';
import { controlClient, controlPath } from '../../dist/control/control.js';

const atOnce = 4;

export async function controlOf({ DIR }) {
  const client = await controlClient(controlPath(join(DIR, 'data')));
  if (client === null) throw new Error(`no memgate listens in ${DIR}`);
  return client;
}

/** @returns the `Authorization` values of `count` new keys */
export async function newKeys(vars, { count, ...wish }) {
  const { keys } = await controlOf(vars);
  const made = [];
  while (made.length < count) {
    const batch = Array.from({ length: Math.min(atOnce, count - made.length) }, (_, index) =>
      keys.createKey({ name: `bench-${made.length + index}`, ...wish }),
    );
    for (const answer of await Promise.all(batch)) {
      if (!answer.ok) throw new Error(answer.why.problems.join('; '));
      made.push(`Bearer ${answer.value.key}`);
    }
  }
  return made;
}
