import { z } from 'zod';

/** A policy that is only asked. */
export const candidate = z
  .strictObject({
    bundle: z
      .string()
      .min(1)
      .describe('Compiled bundle (.tar.gz) of the candidate; it passes the same checks as the one in force.'),
    data: z.string().min(1).optional().describe('Directory of data files for it; default is policy.data.'),
    share: z.number().min(0).max(1).default(1).describe('Part of the decisions that it is asked about too, 0 to 1.'),
  })
  .optional()
  .describe(
    'A policy beside the one in force: asked the same when nobody waits, and counted where it differs. It decides nothing; see memgate policy shadow-report.',
  );
