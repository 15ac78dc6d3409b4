import { z } from 'zod';
import { headerName, milliseconds, oneSource, oneSourceWanted, secretFields } from './parts.js';

/** Claims that the token's maker writes itself, and those by which a server takes somebody for more than a user. */
const ownClaims = ['sub', 'iat', 'exp', 'nbf', 'jti'];
const rankClaims = ['role', 'roles', 'admin', 'is_admin', 'groups', 'permissions', 'scope', 'scopes', 'scp'];
const refusedClaims: ReadonlySet<string> = new Set([...ownClaims, ...rankClaims]);

const claimName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_.:/-]{0,127}$/, 'must be the name of a claim')
  .refine(
    (name) => !refusedClaims.has(name.toLowerCase()),
    `must not be one of ${[...refusedClaims].join(', ')}: memgate writes the first five itself and gives no rank away`,
  );

const subject = z.string().regex(/^[!-~]{1,256}$/, 'must be 1 to 256 visible ASCII characters without blanks');

const hourMs = 3_600_000;

const mint = z
  .strictObject({
    algorithm: z.literal('HS256').default('HS256').describe('How tokens are signed.'),
    secret: z
      .strictObject(secretFields)
      .refine(oneSource, oneSourceWanted)
      .describe('The secret that the memory server checks tokens with, of at least 32 characters.'),
    subject: z
      .literal('space')
      .default('space')
      .describe('What `sub` says: the one space that was decided on. There is no token for a space without a name.'),
    admin_subject: subject
      .optional()
      .describe(
        'What `sub` says for requests that reach several spaces or all of them; without it they get 503. No space may be called so.',
      ),
    ttl_ms: milliseconds(hourMs)
      .min(5_000)
      .default(60_000)
      .describe('From making to expiry. A token is used again for half of it.'),
    claims: z
      .record(claimName, z.union([z.string().max(1_024), z.number(), z.boolean()]))
      .default({})
      .describe('Further claims, the same in every token, such as `iss`. No role, scope or group.'),
    jti: z.boolean().default(false).describe('Give every token an id of its own; then none is used twice.'),
  })
  .optional()
  .describe('A token made for each request, for servers that take the user from it (JWT).');

/** What the memory server wants to see: one secret for all, one for each space, or a token made for the request. */
export const upstreamCredential = z
  .strictObject({
    header: headerName
      .optional()
      .describe('Header that carries the credential; default is what the profile says, else Authorization.'),
    scheme: z
      .string()
      .regex(/^[A-Za-z0-9_-]*$/)
      .optional()
      .describe('Word before the credential, empty for none; default is what the profile says, else Bearer.'),
    ...secretFields,
    by_space: z
      .record(
        z.string().regex(/^[!-)+\--~]{1,256}$/, 'must be a space name'),
        z.strictObject(secretFields).refine(oneSource, oneSourceWanted),
      )
      .refine((spaces) => Object.keys(spaces).length > 0, 'must name at least one space')
      .optional()
      .describe(
        'Space → `from_env` or `from_file` of its own credential. Other spaces, and requests that reach several, get the one beside it, or 503 where there is none.',
      ),
    mint,
  })
  .refine(
    (one) =>
      one.mint === undefined || [one.from_env, one.from_file, one.by_space].every((other) => other === undefined),
    'mint stands alone: without from_env, from_file and by_space',
  )
  .refine(
    (one) => one.mint !== undefined || oneSource(one) || (one.by_space !== undefined && !hasSource(one)),
    'needs exactly one of from_env and from_file, or by_space, or mint',
  )
  .describe('Credential that the memory server wants; the client never sees it.');

const hasSource = (one: { from_env?: string | undefined; from_file?: string | undefined }): boolean =>
  one.from_env !== undefined || one.from_file !== undefined;
