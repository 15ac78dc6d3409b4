import { z } from 'zod';
import type { CompilerCode, RegoProblem } from './port.js';

/** A problem that no place in the sources has. */
export const compilerProblem = (code: CompilerCode, message: string, file = ''): RegoProblem => ({
  file,
  row: 0,
  column: 0,
  code,
  message,
});

export const locationForm = z.object({ file: z.string(), row: z.int(), col: z.int() });

/** An error as both forms of the compiler write it. */
export const errorForm = z.object({
  message: z.string(),
  code: z.string().default(''),
  location: locationForm.nullish(),
});

export const errorsForm = z.object({ errors: z.array(errorForm).min(1) });

/** Paths come with what the compiler was told to read before them. */
export const plainPath = (path: string): string => path.replace(/^(?:\.?\/)+/, '');

export const problemOf = ({ message, code, location }: z.output<typeof errorForm>): RegoProblem => ({
  file: plainPath(location?.file ?? ''),
  row: location?.row ?? 0,
  column: location?.col ?? 0,
  code: code === '' ? 'compiler_failed' : code,
  message,
});

/** The errors in a JSON text, or null for any other text. */
export function problemsIn(text: string): readonly RegoProblem[] | null {
  const read = errorsForm.safeParse(parsedOrNull(text));
  return read.success ? read.data.errors.map(problemOf) : null;
}

function parsedOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** One line for people: `FILE:ROW:COLUMN: CODE: MESSAGE`. */
export const describeRegoProblem = ({ file, row, column, code, message }: RegoProblem): string =>
  `${file === '' ? '' : `${file}${row > 0 ? `:${String(row)}:${String(column)}` : ''}: `}${code}: ${message}`;
