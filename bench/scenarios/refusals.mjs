// Requests that are refused: nothing of them may reach the upstream, and every answer must be a refusal.
import { newKey } from '../../dist/identify/identify.js';
import { headersOf } from '../checks.mjs';
import { newKeys } from '../own/control.mjs';
import { ask } from '../ask.mjs';
import { wrk } from '../wrk.mjs';
import { isDeciding, kinds } from './which.mjs';

const connections = 64;
const garbageKeys = 500;
/** A key of the data whose tier is free, 60 a minute and 6 at once, and a space that it may read. */
const poor = { owner: 'key-008', space: 'space-08', secondsPerToken: 1, burst: 6 };

const refused = ({ port, vars }, { path = vars.TARGET, ...load }) =>
  wrk({ url: `http://127.0.0.1:${port}${path}`, connections, refusalsOnly: 0, ...load });

async function mustBe(variant, { path = variant.vars.TARGET, headers, statuses }) {
  const { status } = await ask(variant.port, path, { headers });
  if (!statuses.includes(status))
    throw new Error(`${variant.name} answers ${status}, must be ${statuses.join(' or ')}`);
}

/** A key of the small tier for each variant, made once and used up before each load. */
const poorKeys = new WeakMap();
async function usedUp(variant) {
  if (!poorKeys.has(variant)) {
    const wish = { owner: poor.owner, spaces: ['*'], permissions: ['MemoryRead'] };
    const [Authorization] = await newKeys(variant.vars, { count: 1, ...wish });
    poorKeys.set(variant, { Authorization });
  }
  const headers = poorKeys.get(variant);
  const path = variant.vars.TARGET.replace('space-07', poor.space);
  for (let n = 0; n < poor.burst; n += 1) await ask(variant.port, path, { headers });
  return { headers, path };
}

export default [
  {
    name: 'refused-401',
    note: 'GET without a credential, 64 connections',
    variants: kinds,
    open: (variant) => mustBe(variant, { headers: {}, statuses: [401, 403] }),
    load: (variant, { seconds }) => refused(variant, { seconds }),
  },
  {
    name: 'refused-403',
    note: 'GET in a space that the key has nothing to do with, 64 connections',
    variants: kinds,
    open: async (variant) => {
      const path = variant.vars.TARGET.replace('space-07', 'space-41');
      await mustBe(variant, { path, headers: headersOf(variant), statuses: [403] });
      return path;
    },
    load: (variant, { seconds, session }) => refused(variant, { seconds, path: session, headers: headersOf(variant) }),
  },
  {
    name: 'refused-429',
    note: 'GET with a key whose tier is used up, 64 connections',
    variants: isDeciding,
    open: usedUp,
    load: (variant, { seconds, session }) =>
      refused(variant, { seconds, ...session, refusalsOnly: seconds / poor.secondsPerToken + poor.burst }),
  },
  {
    name: 'garbage-keys',
    note: `GET with ${garbageKeys} well-formed keys that nobody made, 64 connections`,
    variants: kinds,
    load: (variant, { seconds }) => refused(variant, { seconds, rotate: garbage() }),
  },
];

const garbage = () =>
  Array.from({ length: garbageKeys }, () => ({ Authorization: `Bearer ${newKey('engram_key').text}` }));
