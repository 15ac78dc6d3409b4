// What the Node peers share: the digest of the key, the policy compiled to Wasm, one evaluation per request.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { NODE_PEERS, WASM, DATA } = process.env;
const require = createRequire(`${NODE_PEERS}/package.json`);

/** A package of those that install.sh installed. */
export const load = (name) => require(name);

const { loadPolicy } = load('@open-policy-agent/opa-wasm');
const policy = await loadPolicy(readFileSync(WASM));
policy.setData(JSON.parse(readFileSync(DATA, 'utf8')));

const refusal = { allow: false, reasons: ['policy.undefined'], headers: {} };

/** The whole decision on one request. */
export function decide({ method, url, authorization, address }) {
  const query = url.indexOf('?');
  const token = authorization?.startsWith('Bearer ') ? authorization.slice(7) : '';
  const input = {
    method,
    path: query < 0 ? url : url.slice(0, query),
    key_hash: createHash('sha256').update(token).digest('hex'),
    client_ip: address,
    now: Math.floor(Date.now() / 1_000),
  };
  return policy.evaluate(input)[0]?.result ?? refusal;
}

export const statusOf = ({ reasons }) => (reasons.includes('credential.unknown') ? 401 : 403);
