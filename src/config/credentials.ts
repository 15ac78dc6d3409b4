import { z } from 'zod';
import { permissions } from '../model/permissions.js';
import { oneSource, oneSourceWanted, secretFields } from './parts.js';

/** How API keys are found and checked. */
export const keys = z
  .strictObject({
    prefixes: z
      .array(z.string().regex(/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/, 'must be lower-case words joined by _'))
      .min(1)
      .max(8)
      .default(['engram_key'])
      .describe('Prefixes of API keys; the first is used for new ones.')
      .meta({ restart: true }),
    manifests: z.string().min(1).optional().describe('Directory of key manifests (*.yaml).'),
    hash_concurrency: z
      .int()
      .min(1)
      .max(64)
      .optional()
      .describe('Argon2id verifications at a time; default is the number of cores less one, at least 1.')
      .meta({ restart: true }),
    hash_queue: z
      .int()
      .min(0)
      .max(10_000)
      .default(64)
      .describe('Verifications that may wait; above it a request gets 503.')
      .meta({ restart: true }),
    hash_queue_per_address: z
      .int()
      .min(0)
      .max(10_000)
      .default(256)
      .describe(
        'New credentials of one address (IPv4, IPv6 /64) that may wait because it has as many under way as it may fail; above it 429.',
      )
      .meta({ restart: true }),
    cache_entries: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(20_000)
      .describe('Verified credentials that are remembered.')
      .meta({ restart: true }),
    failures_per_minute: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(30)
      .describe('Failed attempts per minute of one address (IPv4, IPv6 /64) before hashing stops for it.')
      .meta({ restart: true }),
    failures_per_minute_per_key: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(10)
      .describe('Failed attempts per minute of one address on one key id before hashing stops for that pair.')
      .meta({ restart: true }),
  })
  .describe('API keys.');

/** One bearer token of the configuration. */
export const staticToken = z
  .strictObject({
    id: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/)
      .describe('Name of the token in records.'),
    ...secretFields,
    owner: z.string().min(1).max(256).optional().describe('Who answers for it; in records.'),
    permissions: z.array(z.enum(permissions)).default([]).describe('Names of rights, such as MemoryRead.'),
    roles: z.array(z.string().min(1)).default([]).describe('Names of roles of the policy data.'),
    spaces: z.array(z.string().min(1)).min(1).describe('Space names, or * for all.'),
    tier: z.string().min(1).optional().describe('Name of a tier of the policy data.'),
  })
  .refine(oneSource, oneSourceWanted);
