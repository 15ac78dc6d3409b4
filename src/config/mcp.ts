import { z } from 'zod';
import { day, milliseconds } from './parts.js';

const origin = z
  .string()
  .regex(/^[a-z][a-z0-9+.-]*:\/\/[a-z0-9.\-[\]:]+$/, 'must be an origin, such as https://app.example.org')
  .describe('scheme://host[:port], as browsers send it.');

const https = z
  .string()
  .regex(
    /^(?:https:\/\/|http:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?=[:/]|$))[^\s"\\?#]*[^\s"\\?#/]$/,
    'must be an https URL (http on loopback only) without query, fragment or a slash at its end',
  );

/** Fields of `gateway` for routes with `protocol: mcp`. */
export const mcpFields = {
  allowed_origins: z
    .array(origin)
    .max(64)
    .default([])
    .describe(
      'Values of Origin that are accepted on MCP routes. Clients that are no browsers send none; every other one is refused.',
    ),
  sessions: z
    .strictObject({
      max_entries: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(10_000)
        .describe('MCP sessions whose owner is kept; beyond it the one that was not used for longest is forgotten.')
        .meta({ restart: true }),
      entries_per_subject: z
        .int()
        .min(1)
        .max(1_000_000)
        .default(100)
        .describe('The same for one caller; beyond it its own oldest is forgotten.')
        .meta({ restart: true }),
      idle_timeout_ms: milliseconds(30 * day)
        .default(day)
        .describe('How long a session is kept that nobody uses. Its client then gets 404 and opens another.')
        .meta({ restart: true }),
    })
    .prefault({})
    .describe('Sessions that MCP servers give out. Each belongs to the caller that opened it.'),
  protected_resource: z
    .strictObject({
      url: https.describe('Scheme and authority, and path where there is one, under which clients reach the gateway.'),
      authorization_servers: z.array(https).min(1).max(8).describe('Issuers of tokens for it.'),
    })
    .optional()
    .describe(
      'Where MCP clients get a credential. With it, /.well-known/oauth-protected-resource is served to everybody, and 401 names it.',
    ),
};
