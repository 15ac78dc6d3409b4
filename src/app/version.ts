import { readFileSync } from 'node:fs';

/** Of package.json, two folders up both from the sources and from what is built of them. */
export const version = (): string => {
  const parsed: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof parsed === 'object' && parsed !== null && 'version' in parsed ? String(parsed.version) : 'unknown';
};
