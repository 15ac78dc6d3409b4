import { z } from 'zod';
import { identityFacts } from '../model/identity-facts.js';

const headerName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must be a header name');

/** Headers by which this server wants to be told who calls, in its own words. */
export const identityHeaderFields = z
  .record(
    headerName,
    z.union([
      z.enum(identityFacts),
      z.strictObject({ fixed: z.string().regex(/^[!-~]{1,256}$/, 'must be visible ASCII characters without blanks') }),
    ]),
  )
  .default({})
  .describe(
    'Header → subject, subject_kind, owner, key_id, space (the one decided space; left out where there is not exactly one), spaces, request_id, or {fixed: TEXT}. Exactly one of each goes upstream; the client has no say.',
  );
