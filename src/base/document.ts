import { LineCounter, parseDocument, isNode, type Document } from 'yaml';
import type { z } from 'zod';
import { no, ok, type Result } from './result.js';

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

/** A parsed YAML file that still knows where each value stood. */
export interface YamlDocument {
  readonly file: string;
  readonly value: unknown;
  at(path: readonly PropertyKey[]): { readonly line: number; readonly column: number };
}

export const describeProblem = ({ file, line, column, path, message }: Problem): string =>
  `${file}${line > 0 ? `:${String(line)}:${String(column)}` : ''}: ${path === '' ? '' : `${path}: `}${message}`;

const documentBytesMax = 1_048_576;

/** Parses YAML text under caps: bytes, no aliases, no duplicate keys, no unknown tags; a warning counts as an error. */
export function readYaml(file: string, text: string): Promise<Result<YamlDocument, readonly Problem[]>> {
  if (Buffer.byteLength(text) > documentBytesMax) {
    return Promise.resolve(no([{ file, line: 0, column: 0, path: '', message: `is over ${String(documentBytesMax)} bytes` }]));
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true, strict: true, schema: 'core' });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    return Promise.resolve(no(faults.map((fault) => {
      const at = lines.linePos(fault.pos[0]);
      return { file, line: at.line, column: at.col, path: '', message: fault.message.split('\n')[0] ?? 'not YAML' };
    })));
  }
  return Promise.resolve(ok({ file, value: document.toJS({ maxAliasCount: 0 }) as unknown, at: (path) => place(document, lines, path) }));
}

function place(document: Document.Parsed, lines: LineCounter, path: readonly PropertyKey[]): { line: number; column: number } {
  for (let length = path.length; length >= 0; length -= 1) {
    const node = length === 0 ? document.contents : document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) {
      const at = lines.linePos(node.range[0]);
      return { line: at.line, column: at.col };
    }
  }
  return { line: 0, column: 0 };
}

/** Checks a document against a schema; all problems at once, each with its line and column. */
export function checkDocument<T>(schema: z.ZodType<T>, document: YamlDocument): Result<T, readonly Problem[]> {
  const parsed = schema.safeParse(document.value);
  if (parsed.success) return ok(parsed.data);
  return no(parsed.error.issues.map((issue) => ({
    file: document.file, ...document.at(issue.path), path: issue.path.map(String).join('.'), message: issue.message,
  })));
}
