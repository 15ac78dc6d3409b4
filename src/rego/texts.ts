import { no, ok, type Result } from '../base/result.js';
import type { RegoProblem } from './port.js';
import { compilerProblem } from './problems.js';

export type Texts = ReadonlyMap<string, string>;

const isPlain = (path: string): boolean =>
  path.length <= 512 &&
  path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') &&
  !path.includes('\0');

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Whose signature it is has been looked at before, by whoever knows the keys; the compiler would want them. */
const isSource = ([path]: readonly [string, Uint8Array]): boolean => path !== '.signatures.json';

/** Sources as text: both forms of the compiler get the same, and neither a path that leads out of its place. */
export function textsOf(files: ReadonlyMap<string, Uint8Array>): Result<Texts, readonly RegoProblem[]> {
  const texts = new Map<string, string>();
  const problems: RegoProblem[] = [];
  for (const [path, bytes] of [...files].filter(isSource).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!isPlain(path)) {
      problems.push(compilerProblem('source_name', `"${path}" is not a plain path from the root of the bundle`));
      continue;
    }
    try {
      texts.set(path, decoder.decode(bytes));
    } catch {
      problems.push(compilerProblem('source_encoding', 'is not UTF-8 text', path));
    }
  }
  return problems.length > 0 ? no(problems) : ok(texts);
}

export const isTest = (path: string): boolean => path.endsWith('_test.rego');

/** What a bundle is made from: everything but the tests. */
export const policyOnly = (texts: Texts): Texts => new Map([...texts].filter(([path]) => !isTest(path)));

export const hasTests = (texts: Texts): boolean => [...texts.keys()].some(isTest);

/** The line at a place, without the blanks around it. */
export function lineAt(texts: Texts, file: string, row: number): string {
  return texts.get(file)?.split('\n', row)[row - 1]?.trim() ?? '';
}
