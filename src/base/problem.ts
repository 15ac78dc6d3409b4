/** One thing that is wrong with a file: where it is, what it is, and what is wanted. */
export interface Problem {
  readonly file: string;
  /** From 1; 0 when the place is the whole file. */
  readonly line: number;
  readonly column: number;
  /** Dotted path of the value, empty for the whole document. */
  readonly path: string;
  readonly message: string;
}

/** A place in a text, both from 1; zeros when there is none. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** One line for people: `FILE:LINE:COLUMN: PATH: MESSAGE`. */
export const describeProblem = ({ file, line, column, path, message }: Problem): string =>
  `${file}${line > 0 ? `:${String(line)}:${String(column)}` : ''}: ${path === '' ? '' : `${path}: `}${message}`;

/** A problem of a whole file. */
export const fileProblem = (file: string, message: string): Problem => ({
  file,
  line: 0,
  column: 0,
  path: '',
  message,
});
