// The plan of src/: the layer lint, docs/explanation/rooms.md and test/rooms.test.ts all read this table.
const core = ['base', 'model'];
const stages = ['gate', 'identify', 'resolve', 'authorize', 'limit', 'record', 'forward'];

export const rooms = {
  base: { does: 'Result, clock, ids, secrets, YAML under caps, logger. Knows neither HTTP nor policy.', uses: [] },
  model: { does: 'Plain types, the table of codes, the proofs.', uses: ['base'] },
  config: { does: 'One schema reads, checks and documents the configuration.', uses: core },
  pressure: {
    does: 'A place for a request, or why there is none: too many in progress, a late event loop, memory that runs short.',
    uses: core,
  },
  gate: { does: 'Bytes → CleanRequest, the only reading of a request there is.', uses: core },
  identify: { does: 'Credentials → Identity.', uses: core },
  resolve: { does: 'Profile + CleanRequest → Target: route, action, spaces from every carrier.', uses: core },
  authorize: { does: 'Identity + Target → Permit. engine.ts alone knows Rego.', uses: core },
  bundle: {
    does: 'Policy bundles: bytes → files under caps, signature, serial; writes signed ones.',
    uses: core,
  },
  limit: { does: 'Permit → Admission, from the buckets of the tier.', uses: core },
  record: {
    does: 'Admission → Receipt, once the decision is on disk; outcomes; metrics. Decides nothing.',
    uses: core,
  },
  forward: { does: 'Receipt → upstream response; header hygiene.', uses: core },
  lease: {
    does: 'What lasts (streams, tunnels, long uploads) is looked at again and again, by one sweep.',
    uses: core,
  },
  shadow: {
    does: 'Asks a candidate policy what the live one was asked, when nobody waits; counts what differs.',
    uses: core,
  },
  store: { does: 'SQLite behind the ports that stages declare.', uses: core, fills: ['identify', 'resolve'] },
  sidedoors: {
    does: 'Looks for ways around the gateway: ports of the memory server at other addresses of the machine.',
    uses: core,
  },
  gateway: { does: 'Listener, the path (handle.ts), outcome → HTTP (respond.ts).', uses: [...core, ...stages] },
  grpc: {
    does: 'gRPC calls through the same stages: listener, messages, what a call ends with.',
    uses: [...core, ...stages, 'gateway'],
  },
  manifests: {
    does: 'Key manifests as code: what changes between two sets of them, what is unwise in them, a new entry in a file.',
    uses: [...core, 'identify'],
  },
  manage: {
    does: 'What operators do: make, list, rotate and revoke keys; read and verify the audit log.',
    uses: [...core, 'identify', 'manifests', 'record'],
  },
  origin: {
    does: 'Where generations come from: one moment of the files, a watch over them, a bundle server, kept ones.',
    uses: core,
  },
  reload: {
    does: 'Builds the next generation aside, checks it, swaps one reference.',
    uses: [...core, ...stages, 'bundle', 'cases', 'config', 'gateway', 'grpc', 'lease', 'origin', 'rego'],
  },
  review: {
    does: 'Looks at decisions again: replays the log, compares policies, explains, tells who may do what and who needs less.',
    uses: [...core, 'authorize', 'bundle', 'cases', 'config', 'identify', 'record', 'rego', 'resolve'],
  },
  admin: {
    does: 'The admin API, on its own listener, through the same stages.',
    uses: [...core, ...stages, 'gateway', 'manage', 'reload'],
  },
  probes: { does: 'Health, readiness, metrics: its own listener, no credential.', uses: [...core, 'record'] },
  profiles: {
    does: 'What a profile says, in rows; a first draft of one from an OpenAPI document.',
    uses: [...core, 'resolve'],
  },
  control: { does: 'The local socket that the command line talks to.', uses: [...core, 'manage', 'reload', 'review'] },
  cases: { does: 'Requests with the decisions that are wanted, and whether a policy gives them.', uses: core },
  rego: {
    does: 'The policy compiler: checks, formats, tests, builds and explains Rego, as a native program or as WebAssembly. Never on the path of a request.',
    uses: core,
  },
  policies: {
    does: 'Sources of policies before they run: begun, checked, tested, built, reported.',
    uses: [...core, 'authorize', 'bundle', 'cases', 'rego'],
  },
  app: { does: 'The only place that constructs; start and stop order.', uses: '*' },
  demo: { does: 'A small real memory server, and memgate in front of it.', uses: [...core, 'app', 'config', 'manage'] },
  cli: {
    does: 'One file per command.',
    uses: [
      ...core,
      'bundle',
      'config',
      'control',
      'demo',
      'identify',
      'manage',
      'manifests',
      'policies',
      'profiles',
      'rego',
      'review',
      'app',
    ],
  },
};

/** Third-party package → the only files that may import it. */
export const doors = {
  '@open-policy-agent/opa-wasm': '^src/authorize/engine[.]ts$',
  argon2: '^src/identify/key-hash[.]ts$',
  'better-sqlite3': '^src/(store|demo)/',
  'lru-cache': '^src/identify/verifier[.]ts$',
  'prom-client': '^src/record/metrics[.]ts$',
  yaml: '^src/(base/document-parse|manifests/entry-text)[.]ts$',
  pino: '^src/base/log[.]ts$',
  commander: '^src/cli/',
  'cli-table3': '^src/cli/print[.]ts$',
};
