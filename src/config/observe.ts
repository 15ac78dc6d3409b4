import { z } from 'zod';

const pattern = z
  .string()
  .regex(/^[A-Za-z0-9._*-]{1,96}$/, 'must be the id of a route, where * stands for any characters, such as memories.*');
const spaceName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, 'must be the name of one space');
const subjectId = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be the id of a key or of a static token');

const rule = z
  .strictObject({
    routes: z.array(pattern).min(1).max(256).optional().describe('Ids of routes; * stands for any characters.'),
    spaces: z
      .array(spaceName)
      .min(1)
      .max(1_024)
      .optional()
      .describe('Every space of the request is one of these, and there is one.'),
    subjects: z
      .array(subjectId)
      .min(1)
      .max(1_024)
      .optional()
      .describe('Ids of keys and static tokens; the credential has to be a good one.'),
    percent: z
      .number()
      .min(0)
      .max(100)
      .optional()
      .describe(
        'This part of the callers, always the same ones: a caller counts by its id, and without a credential by its address (IPv4, IPv6 /64).',
      ),
  })
  .refine((given) => Object.keys(given).length > 0, 'must hold routes, spaces, subjects or percent');

/** Requests for which a refusal is noted and not carried out, while everything else is enforced. */
export const observe = z
  .array(rule)
  .max(64)
  .default([])
  .describe(
    'Beside enforcement: enforce. What is refused passes and is recorded as would_deny where all that one of these rules holds is true of it.',
  );
