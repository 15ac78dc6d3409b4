import type { z } from 'zod';
import { capped } from './encoding.js';
import type { YamlDocument } from './document-value.js';
import { nearestName, namesAt } from './document-names.js';
import type { Problem } from './problem.js';
import { no, ok, type Result } from './result.js';

type Issue = z.core.$ZodIssue;
type Path = readonly PropertyKey[];

/** Checks a document against a schema; all problems at once, each with its line and column. */
export const checkDocument = <T>(schema: z.ZodType<T>, document: YamlDocument): Result<T, readonly Problem[]> =>
  checkPart(schema, document, []);

/** Checks what stands at one place of a document: a long list is checked item by item, as a schema over all of it stops the event loop. */
export function checkPart<T>(schema: z.ZodType<T>, document: YamlDocument, place: Path): Result<T, readonly Problem[]> {
  const parsed = schema.safeParse(valueAt(document, place));
  if (parsed.success) return ok(parsed.data);
  const problems = parsed.error.issues.flatMap((issue) => toProblems(issue, place, { schema, document, place }));
  return no(problems.sort((one, other) => one.line - other.line || one.column - other.column));
}

function valueAt({ value }: YamlDocument, path: Path): unknown {
  let present: unknown = value;
  for (const part of path) {
    present =
      typeof present === 'object' && present !== null ? (present as Record<PropertyKey, unknown>)[part] : undefined;
  }
  return present;
}

interface Checked {
  readonly schema: z.ZodType;
  readonly document: YamlDocument;
  /** Where the schema begins. */
  readonly place: Path;
}

function toProblems(issue: Issue, above: Path, checked: Checked): Problem[] {
  const path = [...above, ...issue.path];
  const { document } = checked;
  if (issue.code === 'unrecognized_keys') {
    const known = namesAt(checked.schema, path.slice(checked.place.length));
    return issue.keys.map((key) =>
      problem(document, [...path, key], { message: `unknown name${suggestion(key, known)}`, of: 'name' }),
    );
  }
  if (issue.code === 'invalid_union') {
    // The branch that came furthest says most: a wrong item of a list, not "must be text" for the whole list.
    const deep = issue.errors.filter((branch) => branch.every(({ path: inner }) => inner.length > 0));
    if (deep.length === 1) return (deep[0] ?? []).flatMap((inner) => toProblems(inner, path, checked));
    const wants = issue.errors.length === 0 ? [issue.message] : [...new Set(issue.errors.flat().map(wanted))];
    return [problem(document, path, { message: `${isNow(document, path)}${wants.join(', or ')}` })];
  }
  if (issue.code === 'invalid_key') {
    const why = issue.issues.map((inner) => wanted(inner)).join(', ');
    return [problem(document, path, { message: `the name ${why}`, of: 'name' })];
  }
  if (issue.code === 'custom') return [problem(document, path, { message: issue.message })];
  return [problem(document, path, { message: `${isNow(document, path)}${wanted(issue)}` })];
}

const problem = (document: YamlDocument, path: Path, what: { message: string; of?: 'name' | 'value' }): Problem => ({
  file: document.file,
  ...document.at(path, what.of),
  path: path.map((part) => capped(String(part), 64)).join('.'),
  message: what.message,
});

const kinds: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping (NAME: VALUE)',
  record: 'a mapping (NAME: VALUE)',
  null: 'null',
};

/** The wanted form, in words. */
function wanted(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${kinds[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `must be ${issue.values.length === 1 ? '' : 'one of '}${issue.values.map((value) => String(value)).join(', ')}`;
    case 'too_small':
      return `must ${bound(issue.origin, issue.inclusive === false ? '>' : '≥', issue.minimum)}`;
    case 'too_big':
      return `must ${bound(issue.origin, issue.inclusive === false ? '<' : '≤', issue.maximum)}`;
    default:
      return issue.message;
  }
}

function bound(origin: string, sign: string, limit: number | bigint): string {
  if (origin === 'string') return `hold ${sign} ${String(limit)} characters`;
  if (origin === 'array') return `hold ${sign} ${String(limit)} items`;
  return `be ${sign} ${String(limit)}`;
}

/** The present value for a message: short scalars only, and nothing whose name says that it is delicate. */
function isNow(document: YamlDocument, path: Path): string {
  const present = valueAt(document, path);
  if (present === undefined) return 'is missing; it ';
  if (path.some((part) => /secret|hash|token|password|credential/i.test(String(part)))) return '';
  if (typeof present === 'string') return `is "${capped(present, 60)}", `;
  return typeof present === 'number' || typeof present === 'boolean' || present === null
    ? `is ${String(present)}, `
    : '';
}

function suggestion(name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  if (near !== null) return `; did you mean "${near}"?`;
  return known.length === 0 ? '' : `; known here: ${[...known].sort().join(', ')}`;
}
