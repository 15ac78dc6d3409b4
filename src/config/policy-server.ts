import { z } from 'zod';
import { milliseconds, oneSource, oneSourceWanted, secretFields } from './parts.js';

const loopback = new Set(['127.0.0.1', '[::1]', 'localhost']);

const isLoopback = (text: string): boolean => loopback.has(new URL(text).hostname);

/** A server that speaks OPA's bundle protocol. Read once at the start: no reload, and nobody's request, can name another place. */
export const policyServer = z
  .strictObject({
    url: z
      .url({ protocol: /^https?$/, error: 'must be a URL with https:, or http: on this machine' })
      .refine((text) => !URL.canParse(text) || new URL(text).username === '', 'must not hold a user: use token')
      .describe('Where the bundle is, such as https://bundles.internal/memgate.tar.gz. Redirects are not followed.')
      .meta({ restart: true }),
    plain_http: z
      .boolean()
      .default(false)
      .describe(
        'Accept http: to another machine. Whoever is on the way may then replace the policy, unless policy.verification is set.',
      )
      .meta({ restart: true }),
    token: z
      .strictObject(secretFields)
      .refine(oneSource, oneSourceWanted)
      .optional()
      .describe('Bearer token for the server.')
      .meta({ restart: true }),
    polling_min_ms: milliseconds(86_400_000)
      .default(10_000)
      .describe('Least time between two questions; they are spread between this and polling_max_ms.')
      .meta({ restart: true }),
    polling_max_ms: milliseconds(86_400_000)
      .default(30_000)
      .describe('Longest time between two questions, also while the server fails.')
      .meta({ restart: true }),
    long_polling_ms: z
      .int()
      .min(0)
      .max(600_000)
      .default(0)
      .describe(
        'How long a server that can do so may hold a question until there is something new; 0 never asks for it.',
      )
      .meta({ restart: true }),
    timeout_ms: milliseconds(600_000)
      .default(10_000)
      .describe('Longest wait for one whole answer.')
      .meta({ restart: true }),
    max_bytes: z
      .int()
      .min(1_024)
      .max(4 * 1_048_576)
      .default(4 * 1_048_576)
      .describe('Largest bundle that is taken.')
      .meta({ restart: true }),
  })
  .refine(({ url, plain_http: plain }) => plain || !URL.canParse(url) || !url.startsWith('http:') || isLoopback(url), {
    path: ['url'],
    message: 'must be https: for another machine; plain_http: true accepts http:',
  })
  .refine(({ polling_min_ms: min, polling_max_ms: max }) => min <= max, {
    path: ['polling_max_ms'],
    message: 'must be ≥ polling_min_ms',
  });
