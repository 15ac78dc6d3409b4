import { z } from 'zod';
import { audit } from './audit.js';
import { keys, staticToken } from './credentials.js';
import { grpc } from './grpc.js';
import { observe } from './observe.js';
import { headerName, listen, milliseconds } from './parts.js';
import { policy } from './policy.js';
import { reload } from './reload.js';
import { streams } from './streams.js';
import { sideDoors } from './side-doors.js';
import { gateway, upstream } from './traffic.js';

const authMode = z.enum(['none', 'api_key', 'static_token']);

/** The one schema: it checks, documents itself and gives the type. */
export const schema = z
  .strictObject({
    data_dir: z
      .string()
      .min(1)
      .default('./data')
      .describe(
        'Directory for the key store, the audit log and the control socket; made with mode 0700. Relative paths of this file start at its own directory.',
      )
      .meta({ restart: true }),
    data_dir_persistent: z
      .boolean()
      .default(true)
      .describe('False when data_dir does not outlive the pod (an emptyDir): runtime key creation is then refused.')
      .meta({ restart: true }),
    auth_mode: z
      .union([authMode, z.array(authMode).min(1)])
      .default('api_key')
      .describe(
        'Credentials that are taken: api_key, static_token, a list of them, or none (only with the start flag --i-know-this-is-open).',
      ),
    enforcement: z
      .enum(['enforce', 'observe'])
      .default('enforce')
      .describe('observe decides and records, and blocks nothing that is well-formed.'),
    observe,
    profile: z
      .string()
      .min(1)
      .describe(
        "The memory server's profile: the name of one that memgate brings (see memgate profile list), or a file; a name with a dot or a slash is a file.",
      ),
    policy,
    switches: z
      .strictObject({
        readonly: z.boolean().default(false).describe('Refuse everything that changes memories or spaces.'),
      })
      .prefault({})
      .describe('Switches that the policy reads.'),
    gateway: gateway.prefault({}),
    admin: z
      .strictObject({
        listen: listen.default('127.0.0.1:9901').describe('Address and port for operators.').meta({ restart: true }),
        max_connections: z
          .int()
          .min(1)
          .max(10_000)
          .default(256)
          .describe('Open connections of operators.')
          .meta({ restart: true }),
      })
      .prefault({})
      .describe('The listener for operators; every route needs an admin credential.'),
    probes: z
      .strictObject({
        listen: listen
          .default('[::]:9902')
          .describe('Address and port for health, readiness and metrics.')
          .meta({ restart: true }),
        max_connections: z
          .int()
          .min(1)
          .max(10_000)
          .default(512)
          .describe('Open connections for probes.')
          .meta({ restart: true }),
      })
      .prefault({})
      .describe('The listener for probes; no credential, no secret.'),
    upstream: upstream.prefault({}),
    streams: streams.prefault({}),
    grpc: grpc.optional(),
    side_doors: sideDoors.prefault({}),
    identity_headers: z
      .strictObject({
        request_id: headerName.nullable().default('X-Request-Id').describe('Our id of the request.'),
        subject: headerName.nullable().default('X-Auth-Subject').describe('Kind and id of the caller.'),
        key_id: headerName.nullable().default('X-Auth-Key-Id').describe('Id of the API key.'),
        spaces: headerName.nullable().default('X-Auth-Spaces').describe('The spaces that were decided on.'),
      })
      .prefault({})
      .describe('Names of the headers that tell the memory server who calls; null switches one off.'),
    keys: keys.prefault({}),
    static_tokens: z
      .array(staticToken)
      .max(64)
      .default([])
      .describe('Bearer tokens from the environment or from files.'),
    limits: z
      .strictObject({
        system: z
          .strictObject({
            rate: z.int().min(1).max(10_000_000).describe('Requests per second of all callers together.'),
            burst: z.int().min(1).max(10_000_000).describe('Requests that may come at once.'),
          })
          .optional()
          .describe('One limit over all requests.'),
        max_buckets: z
          .int()
          .min(16)
          .max(10_000_000)
          .default(100_000)
          .describe('Buckets that are kept; beyond it new keys share one.')
          .meta({ restart: true }),
        headers: z
          .strictObject({
            legacy: z.boolean().default(true).describe('Send X-RateLimit-Limit, -Remaining and -Reset.'),
            ietf: z.boolean().default(true).describe('Send RateLimit and RateLimit-Policy.'),
          })
          .prefault({})
          .describe('Headers that tell the caller where its limits stand.'),
      })
      .prefault({})
      .describe('Rate limits; those of tiers are policy data.'),
    reload: reload.prefault({}),
    audit: audit.prefault({}),
    metrics: z
      .strictObject({
        prefix: z
          .string()
          .regex(/^(?:[a-z][a-z0-9_]*_)?$/, 'must be lower-case words and end in _')
          .default('memgate_')
          .describe('Prefix of every metric, such as engram_.')
          .meta({ restart: true }),
      })
      .prefault({})
      .describe('Metrics.'),
    log: z
      .strictObject({
        level: z
          .enum(['debug', 'info', 'warn', 'error'])
          .default('info')
          .describe('Least severe lines of the process log.')
          .meta({ restart: true }),
      })
      .prefault({})
      .describe('The process log, on standard error.'),
    drain_ms: milliseconds(600_000)
      .default(10_000)
      .describe('Longest wait for running requests when the process stops.'),
  })
  .describe('Everything that memgate can be told.');

export type Config = z.output<typeof schema>;
