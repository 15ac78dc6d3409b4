// The engines that decide, each with a way to ask it one case: the answer is a verdict, and reasons where the engine gives them.
import { ask } from '../ask.mjs';
import { inRepository } from '../place.mjs';
import { recordedDecisions, evaluatedAgain } from './memgate/records.mjs';
import { built } from './build.mjs';
import { peerKeyOf } from './data.mjs';
import { makeKey, memgate, tierOf } from './memgate/variants.mjs';
import { node, opa, prepare } from './variants.mjs';

const unknownPeerKey = 'bench_key-999_of-nobody';
const unknownKey = 'engram_key_000000000000test_0000000000000000000000000000000000000000000000000';

const peerCredential = ({ key }) =>
  key === 'none' ? null : `Bearer ${key === 'unknown' ? unknownPeerKey : peerKeyOf(key)}`;
const authorization = (value) => (value === null ? {} : { Authorization: value });

function verdictOf(status, { allow, refuse }) {
  if (status === allow) return { allow: true };
  if (refuse.includes(status)) return { allow: false };
  throw new Error(`the status is ${status}, must be ${[allow, ...refuse].join(', ')}`);
}

/** The server of OPA, asked twice: for the whole decision, and for the yes or no that nginx asks for. */
export const opaServer = {
  name: 'opa run --server, the large policy',
  variant: { name: 'verdicts-opa', ports: 1, prepare, procs: [opa({ port: 'P0' })] },
  async ask({ port }, one) {
    const input = { method: one.method, path: one.path, client_ip: one.from, authorization: peerCredential(one) ?? '' };
    const post = async (path, body) => ask(port, path, { method: 'POST', body: JSON.stringify(body) });
    const whole = await post('/v1/data/gate/authz/decision', { input });
    const { allow, reasons } = JSON.parse(whole.text).result;
    const short = verdictOf((await post('/v0/data/gate/authz/permit', input)).status, { allow: 200, refuse: [404] });
    if (short.allow !== allow) throw new Error('permit and decision disagree');
    return { allow, reasons: [...reasons].sort() };
  },
};

/** The decision service of nginx-wasm and Fastify, with the package that memgate itself has. */
export const nodeService = {
  name: 'opa-wasm in Node, the large policy',
  variant: {
    name: 'verdicts-node',
    ports: 1,
    prepare,
    procs: [node('decide.mjs', { env: { NODE_PEERS: inRepository('.') } })],
  },
  async ask({ port }, one) {
    const about = { 'X-Forwarded-Method': one.method, 'X-Forwarded-Uri': one.path, 'X-Forwarded-For': one.from };
    const { status } = await ask(port, '/check', { headers: { ...about, ...authorization(peerCredential(one)) } });
    return verdictOf(status, { allow: 204, refuse: [401, 403] });
  },
};

/** memgate as a process, with keys that its own command has made. */
export const memgateProcess = (keys) => {
  const made = new Map();
  return {
    name: 'memgate serve, the ported policy',
    variant: {
      ...memgate,
      name: 'verdicts-memgate',
      files: { 'memgate.yaml': 'memgate-verdicts.yaml', 'policy-data/tiers.yaml': 'memgate/tiers-without-limit.yaml' },
      ready: async ({ PROGRAM: program, DIR }) => {
        const make = async (number) =>
          made.set(number, await makeKey({ program, config: `${DIR}/memgate.yaml`, number, tier: tierOf(number) }));
        await Promise.all(keys.map(make));
        return {};
      },
    },
    async ask({ port }, one) {
      const value = one.key === 'none' ? null : `Bearer ${made.get(one.key) ?? unknownKey}`;
      const headers = { 'X-Forwarded-For': one.from, ...authorization(value) };
      const { status, headers: answered } = await ask(port, one.path, { method: one.method, headers });
      return { ...verdictOf(status, { allow: 200, refuse: [401, 403, 404, 405] }), id: answered['x-request-id'] };
    },
    /** The reasons stand in the record; what was recorded is decided once more by the other engine. */
    finish({ vars }, answers) {
      const records = recordedDecisions(`${vars.DIR}/data/audit`);
      const again = evaluatedAgain(records, {
        opa: vars.OPA,
        sources: [`${vars.HERE}/policy-memgate`, built.memgateData],
      });
      const reasons = new Map(records.map((record) => [record.id, record.decision.reasons]));
      for (const answer of answers) answer.reasons = reasons.get(answer.id);
      return again;
    },
  };
};

/** A proxy of variants.mjs, asked as a client asks it: only for clients of this machine. */
export const proxy = (variant) => ({
  name: variant.name,
  variant: { ...variant, name: `verdicts-${variant.name}` },
  takes: ({ from }) => from === '127.0.0.1',
  async ask({ port }, one) {
    const { status } = await ask(port, one.path, { method: one.method, headers: authorization(peerCredential(one)) });
    return verdictOf(status, { allow: 200, refuse: [400, 401, 403] });
  },
});
