// Which variants a scenario is for. Not everything everywhere: a round lasts as long as its variants are many.
const isMemgate = ({ procs }) => procs.some(({ role }) => role === 'memgate');
const among = (names) => (variant) => names.includes(variant.name);

/** memgate with the policy of peers/, where it enforces. */
export const isDeciding = (variant) => isMemgate(variant) && variant.checks === 'proxy';

const own = ['memgate', 'memgate-again'];
const bare = ['memgate-bare', 'memgate-bare-again'];
const pairs = (...names) => names.flatMap((name) => [name, `${name}-again`]);

/** Everything that a target names, with the copies. */
export const ofTargets = among([
  ...own,
  ...bare,
  ...pairs('nginx-opa-full', 'nginx-opa-small', 'nginx-wasm', 'fastify', 'http-proxy'),
  ...['memgate-buffered', 'envoy-opa-log', 'nginx'],
]);
/** One of each kind that decides. */
export const kinds = among([...own, ...pairs('nginx-wasm'), 'nginx-opa-full', 'fastify']);
/** One of each kind, and what only passes on. */
export const kindsAndBare = among([...own, ...bare, 'nginx-wasm', 'fastify', 'http-proxy', 'nginx']);
export const ofRates = among([
  'direct',
  ...own,
  'memgate-buffered',
  'memgate-bare',
  'nginx',
  'nginx-wasm',
  'nginx-opa-full',
  'fastify',
]);
export const named = (...names) => among(names);
