import type { RecordedRequest } from './recorder.js';

/** Chunked framing of these parts, last chunk included. */
export const chunked = (...parts: readonly string[]): string =>
  [...parts, ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('');

/** Names at the recorder, in lower case. */
export const namesOf = ({ headers }: RecordedRequest): readonly string[] => headers.map(([name]) => name.toLowerCase());
