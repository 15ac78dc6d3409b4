/** A piece of a query, decoded as HTML forms are. */
export interface FormPair {
  readonly name: string;
  readonly value: string;
}

const hexPair = /^[0-9a-f]{2}$/i;

/** Percent-decodes to bytes; what is no escape stays as it is. */
function decoded(text: string, plusIsSpace: boolean): Buffer {
  const bytes: number[] = [];
  const raw = Buffer.from(text, 'latin1');
  for (let index = 0; index < raw.length; index += 1) {
    const byte = raw[index] ?? 0;
    const escape = raw.toString('latin1', index + 1, index + 3);
    if (byte === 0x25 && hexPair.test(escape)) {
      bytes.push(parseInt(escape, 16));
      index += 2;
    } else {
      bytes.push(plusIsSpace && byte === 0x2b ? 0x20 : byte);
    }
  }
  return Buffer.from(bytes);
}

export function formPairs(query: string): FormPair[] {
  const text = (part: string): string => decoded(part, true).toString('utf8');
  return query
    .split('&')
    .filter((piece) => piece !== '')
    .map((piece) => {
      const equals = piece.indexOf('=');
      return equals < 0
        ? { name: text(piece), value: '' }
        : { name: text(piece.slice(0, equals)), value: text(piece.slice(equals + 1)) };
    });
}

/** A path parameter: one raw segment, which must decode to UTF-8. Null where it does not. */
export function pathText(segment: string): string | null {
  const bytes = decoded(segment, false);
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : null;
}

/** Path and query of a request target, undecoded; an absolute one loses its authority. */
export function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const local = target.replace(/^https?:\/\/[^/?]*/i, '') || '/';
  const mark = local.indexOf('?');
  return mark < 0 ? { path: local, query: '' } : { path: local.slice(0, mark), query: local.slice(mark + 1) };
}
