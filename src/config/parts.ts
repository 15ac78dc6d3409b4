import { z } from 'zod';

export const day = 86_400_000;

/** A listener's address. */
export const listen = z
  .string()
  .regex(
    /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]|localhost):\d{1,5}$/,
    'must be ADDRESS:PORT, such as 127.0.0.1:8080 or [::]:9902',
  );

/** A span of time in ms, of at least 1. */
export const milliseconds = (max: number): z.ZodInt => z.int().min(1).max(max);

export const headerName = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'must be a header name of letters, digits and hyphens');

/** The two places that a secret may come from, as fields of a larger mapping. */
export const secretFields = {
  from_env: z
    .string()
    .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'must be the name of an environment variable')
    .optional()
    .describe('Name of the environment variable that holds the secret.'),
  from_file: z.string().min(1).optional().describe('File that holds the secret; one trailing newline is cut.'),
};

/** To be refined with: a secret has one place, never two. */
export const oneSource = (source: { from_env?: string | undefined; from_file?: string | undefined }): boolean =>
  (source.from_env === undefined) !== (source.from_file === undefined);

export const oneSourceWanted = 'needs exactly one of from_env and from_file';
