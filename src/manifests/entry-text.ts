import { isDeepStrictEqual } from 'node:util';
import { isMap, isScalar, isSeq, parseDocument, stringify, type YAMLSeq } from 'yaml';

/** A key as it is to stand in a manifest, in the order of its names. */
export type ManifestEntry = Readonly<Record<string, unknown>>;

const format = { lineWidth: 0 } as const;

/** A complete manifest. */
export const manifestText = (entries: readonly ManifestEntry[]): string => stringify({ keys: entries }, format);

/**
 * The text of a manifest with one entry more, behind the others. Nothing else changes: comments, order and blanks stay as they
 * are, but where the list is written in one line with braces.
 *
 * @param text a manifest that loads
 * @returns null where no text can be made that says the same and the entry
 */
export function withEntry(text: string, entry: ManifestEntry): string | null {
  const document = parseDocument(text);
  const { contents } = document;
  if (document.errors.length > 0 || !isMap(contents)) return null;
  const keys = contents.items.find(({ key }) => isScalar(key) && key.value === 'keys')?.value;
  if (!isSeq(keys)) return null;
  const wanted = withOneMore(valueOf(text), entry);
  const inserted = inserting(text, keys, entry);
  if (inserted !== null && isDeepStrictEqual(valueOf(inserted), wanted)) return inserted;
  if (keys.items.length === 0) keys.flow = false;
  document.addIn(['keys'], document.createNode(entry));
  const written = document.toString(format);
  return isDeepStrictEqual(valueOf(written), wanted) ? written : null;
}

/** Puts lines between others; null where the list does not stand in lines of its own. */
function inserting(text: string, { range, flow, items }: YAMLSeq, entry: ManifestEntry): string | null {
  if (range == null || flow === true || items.length === 0) return null;
  const [start, , end] = range;
  const indent = text.slice(text.lastIndexOf('\n', start - 1) + 1, start);
  if (!/^ *$/.test(indent)) return null;
  const newline = text.includes('\r\n') ? '\r\n' : '\n';
  const lines = stringify([entry], format)
    .trimEnd()
    .split('\n')
    .map((line) => `${indent}${line}${newline}`);
  const before = text.slice(0, end);
  return `${before}${before.endsWith('\n') ? '' : newline}${lines.join('')}${text.slice(end)}`;
}

const valueOf = (text: string): unknown => parseDocument(text).toJS();

const withOneMore = (value: unknown, entry: ManifestEntry): unknown => {
  const { keys, ...rest } = value as { readonly keys: readonly unknown[] };
  return { ...rest, keys: [...keys, entry] };
};
