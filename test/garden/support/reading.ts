import { createHash } from 'node:crypto';
import type { ReadRequest } from '../../wire/support/strict-reader.js';

/** A request as one server has read it. */
export interface Reading {
  readonly method: string;
  readonly target: string;
  /** As they were told, Latin-1. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
}

/** How a server may tell what it has read in another form. Nothing else may differ. */
export interface Manners {
  /** Lines of one name are told as one, joined by `, `. @see RFC 9110 §5.3 */
  readonly joinsLines: boolean;
  /** Tells the decoded path in `X-Garden-Path`. */
  readonly tellsPath: boolean;
}

/** About the connection and the framing, which each server makes anew. The body itself is compared. */
const ownOfHop: ReadonlySet<string> = new Set(['connection', 'content-length', 'transfer-encoding']);
const blanks = /^[ \t]+|[ \t]+$/g;
const told = 'x-garden-';

/** Header lines by lower-case name, in a form that can be compared. */
function fieldsOf(headers: Reading['headers'], joinsLines: boolean): Map<string, string> {
  const lists = new Map<string, string[]>();
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    if (ownOfHop.has(key) || key.startsWith(told)) continue;
    lists.set(key, [...(lists.get(key) ?? []), value]);
  }
  return new Map(
    [...lists].map(([key, list]) => [key, joinsLines ? list.join(', ').replace(blanks, '') : JSON.stringify(list)]),
  );
}

const valueOf = ({ headers }: Reading, name: string): string | undefined =>
  headers.find(([key]) => key.toLowerCase() === name)?.[1];

const digest = (body: Buffer): string =>
  `${body.length} bytes, SHA-256 ${createHash('sha256').update(body).digest('hex').slice(0, 16)}`;

function decodedPath(target: string): string | null {
  try {
    return decodeURIComponent(target.split('?')[0] ?? '');
  } catch {
    return null; // not UTF-8: none of ours
  }
}

/** @returns one sentence per difference between what was meant and what a server has read */
export function differences(meant: ReadRequest | Reading, read: Reading, manners: Manners): string[] {
  const found: string[] = [];
  const compare = (what: string, wanted: string | null | undefined, got: string | null | undefined): void => {
    if (wanted !== got) found.push(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
  };
  compare('method', meant.method, read.method);
  compare('target', meant.target, read.target);
  if (!meant.body.equals(read.body)) compare('body', digest(meant.body), digest(read.body));
  const wanted = fieldsOf(meant.headers, manners.joinsLines);
  const got = fieldsOf(read.headers, manners.joinsLines);
  for (const name of new Set([...wanted.keys(), ...got.keys()]))
    compare(`header ${name}`, wanted.get(name), got.get(name));
  if (manners.tellsPath) {
    const path = valueOf(read, 'x-garden-path');
    compare(
      'decoded path',
      decodedPath(meant.target),
      path === undefined ? undefined : Buffer.from(path, 'latin1').toString(),
    );
  }
  const line = valueOf(read, 'x-garden-line');
  if (line !== undefined) compare('request line', `${meant.method} ${meant.target} HTTP/1.1`, line);
  return found;
}
