// What stands side by side: one entry per variant. README.md says what each one is, and in what they are not equal.
//   ports     how many; {{P0}} is the one that is asked
//   files     name in {{DIR}} → source in configs/
//   procs     what is started; {{NAME}} is filled in
//   needs     programs and files; without one of them the variant is told to be missing
//   prepare   before the files are written; gives further values
//   ready     once it runs; gives further values, such as AUTH
//   checks    proxy: passes on what is allowed and refuses what is not; open: passes on everything
//   copyOf    the second half of an A/A pair
import { buildPolicies } from './build.mjs';
import { peerKeyOf } from './data.mjs';
import { memgateVariants } from './memgate/variants.mjs';

const keyOfLoad = 7; // svc-007: editor in space-07, reader in space-20

/** Values of whoever decides with the peers' policy. */
export const prepare = async () => {
  const { data, wasm } = await buildPolicies();
  return { DATA: data, WASM: wasm, AUTH: `Bearer ${peerKeyOf(keyOfLoad)}` };
};
const decided = (needs, ports, rest) => ({ needs, ports, checks: 'proxy', prepare, ...rest });
const open = (needs, rest) => ({ needs, ports: 1, checks: 'open', ...rest });

const largePolicy = ['policy/authz.rego', 'policy/request.rego'];
/** A server of OPA. */
export const opa = ({ program = '{{OPA}}', port = 'P1', policy = largePolicy, options = [] }) => ({
  role: 'opa',
  cmd: [
    ...[program, 'run', '--server', '--addr', `127.0.0.1:{{${port}}}`],
    ...['--skip-version-check', '--log-level', 'error', ...options],
    ...[...policy.map((file) => `{{HERE}}/${file}`), '{{DATA}}'],
  ],
});
const opaEnvoy = '{{CACHE}}/bin/opa-envoy';
const logged = {
  policy: [...largePolicy, 'policy/mask.rego'],
  options: ['--set', 'decision_logs.console=true'],
};
/** The server that Envoy asks; OPA's own is on another port. */
const grpc = (rest) => ({
  program: opaEnvoy,
  port: 'P2',
  ...rest,
  options: [
    ...['--set', 'plugins.envoy_ext_authz_grpc.addr=127.0.0.1:{{P1}}'],
    ...['--set', 'plugins.envoy_ext_authz_grpc.path=gate/authz/envoy'],
    ...(rest.options ?? []),
  ],
});
const small = { policy: ['policy-small/authz.rego'] };

const nginx = { role: 'nginx', cmd: ['{{NGINX}}', '-e', '{{DIR}}/error.log', '-c', '{{DIR}}/nginx.conf'] };
const caddy = {
  role: 'caddy',
  cmd: ['{{CADDY}}', 'run', '--adapter', 'caddyfile', '--config', '{{DIR}}/Caddyfile'],
  env: { HOME: '{{DIR}}' },
};
const envoy = {
  role: 'envoy',
  cmd: [
    ...['{{ENVOY}}', '-c', '{{DIR}}/envoy.yaml', '--concurrency', '1', '--disable-hot-restart'],
    ...['--log-level', 'warn'],
  ],
};
/** A program of node/. */
export const node = (file, { port = 'P0', env = {}, wants = { WASM: '{{WASM}}', DATA: '{{DATA}}' } } = {}) => ({
  role: 'node',
  cmd: ['{{NODE}}', `{{HERE}}/node/${file}`],
  env: {
    ...{ NODE_ENV: 'production', NODE_PEERS: '{{NODE_PEERS}}', UPSTREAM: '{{UPSTREAM}}', PORT: `{{${port}}}` },
    ...{ ...wants, ...env },
  },
});
const packages = '{{NODE_PEERS}}/node_modules';
const policyPackages = [`${packages}/@open-policy-agent/opa-wasm`, '{{OPA}}'];

const nginxOpa = (kind, asked) =>
  decided(['{{NGINX}}', '{{OPA}}'], 2, { files: { 'nginx.conf': `nginx-${kind}.conf` }, procs: [opa(asked), nginx] });
const nginxWasm = decided(['{{NGINX}}', ...policyPackages], 2, {
  files: { 'nginx.conf': 'nginx-decide.conf' },
  procs: [node('decide.mjs', { port: 'P1' }), nginx],
});
const envoyOpa = (asked) =>
  decided(['{{ENVOY}}', opaEnvoy], 3, { files: { 'envoy.yaml': 'envoy-opa.yaml' }, procs: [opa(grpc(asked)), envoy] });
const fastify = (env = {}) =>
  decided([`${packages}/fastify`, ...policyPackages], 1, { procs: [node('fastify.mjs', { env })] });

const peers = [
  {
    name: 'nginx',
    note: 'proxy_pass and nothing else',
    ...open(['{{NGINX}}'], { files: { 'nginx.conf': 'nginx-bare.conf' }, procs: [nginx] }),
  },
  {
    name: 'nginx-opa-full',
    note: 'auth_request to OPA with its decision log, limit_req, JSON access log',
    ...nginxOpa('opa-full', logged),
  },
  { name: 'nginx-opa-full-again', copyOf: 'nginx-opa-full', ...nginxOpa('opa-full', logged) },
  { name: 'nginx-opa', note: 'auth_request to OPA, no log, no limit', ...nginxOpa('opa', {}) },
  { name: 'nginx-opa-small', note: 'the same with the policy of 14 lines', ...nginxOpa('opa', small) },
  { name: 'nginx-opa-small-again', copyOf: 'nginx-opa-small', ...nginxOpa('opa', small) },
  { name: 'nginx-wasm', note: 'auth_request to a Node service with opa-wasm; no log, no limit', ...nginxWasm },
  { name: 'nginx-wasm-again', copyOf: 'nginx-wasm', ...nginxWasm },
  {
    name: 'caddy',
    note: 'reverse_proxy and nothing else',
    ...open(['{{CADDY}}'], { files: { Caddyfile: 'caddy-bare.caddyfile' }, procs: [caddy] }),
  },
  {
    name: 'caddy-opa',
    note: 'forward_auth to OPA; no log, no limit',
    ...decided(['{{CADDY}}', '{{OPA}}'], 2, {
      files: { Caddyfile: 'caddy-opa.caddyfile' },
      procs: [
        opa({
          policy: [...largePolicy, 'policy-caddy/authz.rego'],
          options: ['--authorization', 'basic', '--skip-known-schema-check'],
        }),
        caddy,
      ],
    }),
  },
  {
    name: 'envoy',
    note: 'router and nothing else',
    ...open(['{{ENVOY}}'], { files: { 'envoy.yaml': 'envoy-bare.yaml' }, procs: [envoy] }),
  },
  { name: 'envoy-opa', note: 'ext_authz to OPA over gRPC; no log, no limit', ...envoyOpa({}) },
  { name: 'envoy-opa-log', note: 'the same with its decision log', ...envoyOpa(logged) },
  {
    name: 'fastify',
    note: 'all in one: proxy, rate limit, opa-wasm, metrics, a log line per request',
    ...fastify(),
  },
  { name: 'fastify-again', copyOf: 'fastify', ...fastify() },
  {
    name: 'fastify-buffered',
    note: 'the same, log lines written 8 KiB at a time',
    ...fastify({ LOG: 'buffered' }),
  },
  {
    name: 'express',
    note: 'the same with Express and http-proxy-middleware',
    ...decided([`${packages}/express`, ...policyPackages], 1, { procs: [node('express.mjs')] }),
  },
  {
    name: 'http-proxy',
    note: 'http-proxy and nothing else',
    ...open([`${packages}/http-proxy`], { procs: [node('http-proxy.mjs', { wants: {} })] }),
  },
  {
    name: 'http-proxy-again',
    copyOf: 'http-proxy',
    ...open([`${packages}/http-proxy`], { procs: [node('http-proxy.mjs', { wants: {} })] }),
  },
  {
    name: 'fastify-http-proxy',
    note: '@fastify/http-proxy and nothing else',
    ...open([`${packages}/fastify`], { procs: [node('fastify-http-proxy.mjs', { wants: {} })] }),
  },
];

export default [...memgateVariants, ...peers];
