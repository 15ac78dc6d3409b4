// What memgate is to reach, as ratios of one run and as figures. Where they come from: issue 4.
const documents = ['get-64', 'get-8', 'post-64', 'post-8'];

/** Processor time per request of `a` to that of `b`. `aims` are below `must`, the first is the nearest. */
export const ratioTargets = [
  {
    text: 'nginx + `opa run`, full (decision log, limits, access log)',
    a: 'memgate',
    b: 'nginx-opa-full',
    must: 0.3,
    aims: [0.25, 0.18],
  },
  {
    text: 'nginx + `opa run` with the policy of 14 lines (memgate keeps the large one)',
    a: 'memgate',
    b: 'nginx-opa-small',
    must: 0.6,
    aims: [0.5],
  },
  {
    text: 'nginx `auth_request` + Node and opa-wasm (no audit, no limits)',
    a: 'memgate',
    b: 'nginx-wasm',
    must: 1.5,
    aims: [1.2, 0.9],
  },
  { text: 'Fastify, all in one', a: 'memgate', b: 'fastify', must: 0.75, aims: [0.6, 0.4] },
  {
    text: 'Envoy + OPA by `ext_authz`, decision log (a stand-in for opa-envoy-plugin, which could not be had)',
    a: 'memgate',
    b: 'envoy-opa-log',
    must: 0.2,
    aims: [0.15],
  },
  { text: 'memgate with its audit buffered', a: 'memgate', b: 'memgate-buffered', must: 1.25, aims: [1.15] },
  { text: 'bare: our own forwarding against http-proxy', a: 'memgate-bare', b: 'http-proxy', must: 0.7, aims: [0.6] },
].map((target) => ({ ...target, scenarios: documents }));

/** Ratios that are told without a target. */
export const otherRatios = [
  ...[
    'nginx-opa',
    'nginx',
    'envoy',
    'caddy',
    'caddy-opa',
    'express',
    'fastify-buffered',
    'memgate-observe',
    'memgate-bare',
    'envoy-opa',
  ].map((b) => ({ a: 'memgate', b })),
  { a: 'memgate-bare', b: 'nginx' },
  { a: 'memgate-bare', b: 'fastify-http-proxy' },
  { a: 'memgate-keys-10000', b: 'memgate' },
  { a: 'memgate-spaces-500', b: 'memgate-own' },
];

export const memoryTarget = { scenario: 'memory-64', variant: 'memgate', mustMiB: 105, aimMiB: 90 };

/** What a variant adds to the way straight to the upstream, in ms. */
export const latencyTarget = {
  scenario: 'rate-1000',
  variant: 'memgate-buffered',
  strict: 'memgate',
  base: 'direct',
  p50: { must: 1, aim: 0.5 },
  p99: { must: 5, aim: 3 },
};

export const roundsMin = 10;

/** A figure against `must` and `aims`, all upper bounds. */
export function verdictOf(value, { must, aims }) {
  if (value > must) return 'missed';
  const reached = aims.filter((aim) => value <= aim);
  return reached.length === 0 ? 'must met' : `aim ${reached.at(-1)} met`;
}
