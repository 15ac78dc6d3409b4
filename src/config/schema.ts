import { z } from 'zod';

const listen = z.string().regex(/^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]|localhost):\d{1,5}$/, 'must be ADDRESS:PORT, such as 127.0.0.1:8080 or [::]:9902');
const secretSource = z
  .strictObject({
    from_env: z.string().min(1).optional().describe('Name of the environment variable that holds the secret.'),
    from_file: z.string().min(1).optional().describe('File that holds the secret; one trailing newline is cut.'),
  })
  .refine((source) => (source.from_env === undefined) !== (source.from_file === undefined), 'needs exactly one of from_env and from_file');
const milliseconds = (max: number): z.ZodInt => z.int().min(1).max(max);
const headerName = z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'must be a header name of letters, digits and hyphens');
const authMode = z.enum(['none', 'api_key', 'static_token']);
const day = 86_400_000;

const gateway = z.strictObject({
  listen: listen.default('127.0.0.1:8080').describe('Address and port for clients; port 0 takes a free one.').meta({ restart: true }),
  allowed_hosts: z.array(z.string().min(1)).default([]).describe('Host header values that are served; empty serves any well-formed one.'),
  trusted_proxies: z.array(z.string().min(1)).default([]).describe('Addresses or networks (CIDR) whose X-Forwarded-For is believed.'),
  max_connections: z.int().min(1).max(100_000).default(8_000).describe('Open client connections in sum.').meta({ restart: true }),
  max_connections_per_address: z.int().min(1).max(100_000).default(1_000).describe('Open client connections of one address (IPv4) or /64 (IPv6).').meta({ restart: true }),
  headers_timeout_ms: milliseconds(600_000).default(10_000).describe('Longest wait for a complete request head.').meta({ restart: true }),
  keep_alive_timeout_ms: milliseconds(3_600_000).default(75_000).describe('How long an idle client connection lives; keep it above the idle time of a balancer in front.').meta({ restart: true }),
  body_timeout_ms: milliseconds(day).default(30_000).describe('Longest time for a request body that the decision waits for.'),
  body_min_bytes_per_second: z.int().min(0).max(1_000_000_000).default(64).describe('Slowest accepted upload, averaged after the first 5 seconds; 0 switches it off.'),
  inspect_max_bytes: z.int().min(1).max(64 * 1_048_576).default(1_048_576).describe('Largest request body that is read for a decision.'),
  inspect_max_bytes_in_progress: z.int().min(1).max(4 * 1_073_741_824).default(64 * 1_048_576).describe('Bodies that are held for decisions, in sum; above it a request gets 503.'),
}).describe('The listener for clients.');

const upstream = z.strictObject({
  url: z.string().regex(/^http:\/\/[A-Za-z0-9.\-[\]:]+$/, 'must be http://HOST:PORT without a path').default('http://127.0.0.1:7432').describe('The memory server.'),
  connections: z.int().min(1).max(4_096).default(128).describe('Open connections to the memory server.'),
  queue: z.int().min(0).max(100_000).default(1_024).describe('Requests that may wait for a connection; above it a request gets 503.'),
  connect_timeout_ms: milliseconds(600_000).default(2_000).describe('Longest wait for a connection.'),
  headers_timeout_ms: milliseconds(day).default(30_000).describe('Longest wait for the head of an answer.'),
  body_timeout_ms: milliseconds(day).default(30_000).describe('Longest silence within an answer; streams are exempt.'),
  deadline_ms: milliseconds(day).default(300_000).describe('Longest time from the first byte sent upstream to the end of the answer; streams are exempt.'),
  stream_idle_timeout_ms: milliseconds(7 * day).default(3_600_000).describe('Longest silence within a stream.'),
  credential: z.strictObject({
    header: headerName.default('Authorization').describe('Header that carries the credential.'),
    scheme: z.string().regex(/^[A-Za-z0-9_-]*$/).default('Bearer').describe('Word before the credential; empty for none.'),
    from_env: secretSource.shape.from_env,
    from_file: secretSource.shape.from_file,
  }).refine((source) => (source.from_env === undefined) !== (source.from_file === undefined), 'needs exactly one of from_env and from_file')
    .optional().describe('Credential that the memory server wants; the client never sees it.'),
}).describe('Where admitted requests go.');

const keys = z.strictObject({
  prefixes: z.array(z.string().regex(/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/, 'must be lower-case words joined by _')).min(1).max(8).default(['engram_key'])
    .describe('Prefixes of API keys; the first is used for new ones.'),
  manifests: z.string().min(1).optional().describe('Directory of key manifests (*.yaml).'),
  hash_concurrency: z.int().min(1).max(64).optional().describe('Argon2id verifications at a time; default is the number of cores less one, at least 1.').meta({ restart: true }),
  hash_queue: z.int().min(0).max(10_000).default(64).describe('Verifications that may wait; above it a request gets 503.').meta({ restart: true }),
  cache_entries: z.int().min(1).max(1_000_000).default(20_000).describe('Verified credentials that are remembered.').meta({ restart: true }),
  failures_per_minute: z.int().min(1).max(1_000_000).default(30).describe('Failed attempts per minute of one address (IPv4, IPv6 /64) before hashing stops for it.'),
  failures_per_minute_per_key: z.int().min(1).max(1_000_000).default(10).describe('Failed attempts per minute of one address on one key id before hashing stops for that pair.'),
}).describe('API keys.');

const staticToken = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/).describe('Name of the token in records.'),
  from_env: secretSource.shape.from_env,
  from_file: secretSource.shape.from_file,
  owner: z.string().min(1).max(256).optional(),
  permissions: z.array(z.string().min(1)).default([]),
  roles: z.array(z.string().min(1)).default([]),
  spaces: z.array(z.string().min(1)).min(1).describe('Space names, or * for all.'),
  tier: z.string().min(1).optional(),
}).refine((source) => (source.from_env === undefined) !== (source.from_file === undefined), 'needs exactly one of from_env and from_file');

const audit = z.strictObject({
  dir: z.string().min(1).optional().describe('Directory of the audit log; default is audit in data_dir.').meta({ restart: true }),
  durability: z.strictObject({
    content: z.enum(['strict', 'buffered']).default('strict'),
    metadata: z.enum(['strict', 'buffered']).default('strict'),
    metrics: z.enum(['strict', 'buffered']).default('strict'),
  }).prefault({}).describe('Per data class, for reads only: strict waits for the disk before forwarding, buffered does not. Everything else is always strict.'),
  segment_bytes: z.int().min(4_096).max(4 * 1_073_741_824).default(67_108_864).describe('Size at which a new segment file begins.').meta({ restart: true }),
  max_bytes: z.int().min(16_384).default(10 * 1_073_741_824).describe('Size of all segments in sum; beyond it nothing is admitted.').meta({ restart: true }),
  reserve_bytes: z.int().min(0).default(64 * 1_048_576).describe('Part of max_bytes, and of the free space of the disk, that only authorized requests may use.').meta({ restart: true }),
  refusals_per_second: z.int().min(1).max(1_000_000).default(200).describe('Refusals before authorization that are written one by one; the rest is folded into one counted summary a second.').meta({ restart: true }),
  refusals_per_second_per_address: z.int().min(1).max(1_000_000).default(50).describe('The same for one address (IPv4, IPv6 /64).').meta({ restart: true }),
  allow_tmpfs: z.boolean().default(false).describe('Accept a file system in memory for the audit log.').meta({ restart: true }),
}).describe('The durable record of decisions.');

export const schema = z.strictObject({
  data_dir: z.string().min(1).default('./data').describe('Directory for the key store, the audit log and the control socket; made with mode 0700. Relative paths of this file start at its own directory.').meta({ restart: true }),
  data_dir_persistent: z.boolean().default(true).describe('False when data_dir does not outlive the pod (an emptyDir): runtime key creation is then refused.').meta({ restart: true }),
  auth_mode: z.union([authMode, z.array(authMode).min(1)]).default('api_key').describe('Credentials that are taken: api_key, static_token, a list of them, or none (only with the start flag --i-know-this-is-open).'),
  enforcement: z.enum(['enforce', 'observe']).default('enforce').describe('observe decides and records, and blocks nothing that is well-formed.'),
  profile: z.string().min(1).describe('File of the memory server\'s profile.'),
  policy: z.strictObject({
    bundle: z.string().min(1).describe('Compiled policy bundle (.tar.gz).'),
    data: z.string().min(1).optional().describe('Directory of data files (NAME.yaml) that replace the bundle\'s data of the same name: roles, tiers, spaces, networks.'),
    budget_ms: z.number().min(0.1).max(1_000).default(5).describe('Longest evaluation of the largest test input when a policy is activated, best of five.'),
  }).describe('The policy.'),
  switches: z.strictObject({
    readonly: z.boolean().default(false).describe('Refuse everything that changes memories or spaces.'),
  }).prefault({}).describe('Switches that the policy reads.'),
  gateway: gateway.prefault({}),
  admin: z.strictObject({
    listen: listen.default('127.0.0.1:9901').describe('Address and port for operators.').meta({ restart: true }),
  }).prefault({}).describe('The listener for operators; every route needs an admin credential.'),
  probes: z.strictObject({
    listen: listen.default('[::]:9902').describe('Address and port for health, readiness and metrics.').meta({ restart: true }),
  }).prefault({}).describe('The listener for probes; no credential, no secret.'),
  upstream: upstream.prefault({}),
  identity_headers: z.strictObject({
    request_id: headerName.nullable().default('X-Request-Id'),
    subject: headerName.nullable().default('X-Auth-Subject'),
    key_id: headerName.nullable().default('X-Auth-Key-Id'),
    spaces: headerName.nullable().default('X-Auth-Spaces'),
  }).prefault({}).describe('Names of the headers that tell the memory server who calls; null switches one off.'),
  keys: keys.prefault({}),
  static_tokens: z.array(staticToken).max(64).default([]).describe('Bearer tokens from the environment or from files.'),
  limits: z.strictObject({
    system: z.strictObject({
      rate: z.int().min(1).max(10_000_000).describe('Requests per second of all callers together.'),
      burst: z.int().min(1).max(10_000_000),
    }).optional().describe('One limit over all requests.'),
    max_buckets: z.int().min(16).max(10_000_000).default(100_000).describe('Buckets that are kept; beyond it new keys share one.').meta({ restart: true }),
    headers: z.strictObject({
      legacy: z.boolean().default(true).describe('Send X-RateLimit-Limit, -Remaining and -Reset.'),
      ietf: z.boolean().default(true).describe('Send RateLimit and RateLimit-Policy.'),
    }).prefault({}),
  }).prefault({}).describe('Rate limits; those of tiers are policy data.'),
  audit: audit.prefault({}),
  metrics: z.strictObject({
    prefix: z.string().regex(/^(?:[a-z][a-z0-9_]*_)?$/, 'must be lower-case words and end in _').default('memgate_').describe('Prefix of every metric, such as engram_.').meta({ restart: true }),
  }).prefault({}),
  log: z.strictObject({
    level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  }).prefault({}),
  drain_ms: milliseconds(600_000).default(10_000).describe('Longest wait for running requests when the process stops.'),
}).describe('Everything that memgate can be told.');

export type Config = z.output<typeof schema>;
