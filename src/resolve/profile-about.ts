import { z } from 'zod';

const text = z.string().min(1).max(400);
const port = z.int().min(1).max(65_535);

/** What a profile says for people: the pages and tables are made of it, no decision is. */
export const aboutFields = {
  about: z
    .strictObject({
      server: text.describe('Name of the memory server, and which version or form of it.'),
      source: text.optional().describe('What the profile was written after.'),
      port: port.optional().describe('Port that the server usually has.'),
      summary: text.describe('What a space is for this server, in a sentence or two.'),
    })
    .optional()
    .describe('Which server this is for.'),
  upstream_credential: z
    .strictObject({
      kind: z
        .enum(['none', 'static', 'per_space', 'minted'])
        .describe(
          'none: it takes no credential; static: one for all; per_space: one a space; minted: a token made for each request.',
        ),
      header: z
        .string()
        .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must be a header name')
        .optional()
        .describe('The header that it stands in.'),
      scheme: z
        .string()
        .regex(/^[A-Za-z]{1,32}$/)
        .optional()
        .describe('The word before it.'),
      refused_claims: z
        .array(z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must be the name of a claim'))
        .max(32)
        .optional()
        .describe('Claims that a minted token must not have; a configuration that adds one is refused at load.'),
      note: text.optional().describe('What else must be known about it.'),
    })
    .optional()
    .describe('The credential that the server wants from us; the configuration says where it comes from.'),
  denied: z
    .array(
      z.strictObject({
        match: z
          .string()
          .regex(
            /^(?:\*|GET|POST|PUT|PATCH|DELETE|OPTIONS) \/\S*$/,
            'must be METHOD /path, or * /path for every method',
          )
          .describe('Method and path template.'),
        why: text.describe('Why nobody may call it through this profile.'),
      }),
    )
    .default([])
    .describe(
      'Routes that the server is known to have and that are left out on purpose. What is not listed anywhere is denied too.',
    ),
};
