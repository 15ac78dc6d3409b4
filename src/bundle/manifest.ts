import { entrypoint } from '../model/decision.js';
import { BadBundle } from './bad-bundle.js';
import { object, readObject } from './documents.js';

export const manifestFile = '.manifest';
const revisionForm = /^[\x21-\x7e]{1,128}$/;

/** What a manifest says about a bundle. */
export interface Manifest {
  readonly revision: string;
  readonly serial: number | null;
  readonly notAfterMs: number | null;
}

/** @throws BadBundle for a bundle of another kind, or with another entrypoint than ours */
export function readManifest(bytes: Uint8Array): Manifest {
  const manifest = readObject(manifestFile, bytes);
  if (manifest['rego_version'] !== 1) throw new BadBundle('.manifest: rego_version must be 1');
  const modules: unknown = manifest['wasm'];
  if (!Array.isArray(modules) || modules.length !== 1) throw new BadBundle('.manifest: wanted exactly one entrypoint');
  const only = object(modules[0], '.manifest: wasm[0]');
  if (only['entrypoint'] !== entrypoint || only['module'] !== '/policy.wasm') {
    throw new BadBundle(`.manifest: the entrypoint must be ${entrypoint} in /policy.wasm`);
  }
  const revision = manifest['revision'];
  if (typeof revision !== 'string' || !revisionForm.test(revision)) {
    throw new BadBundle('.manifest: revision must be 1 to 128 visible ASCII characters');
  }
  return { revision, ...readClaims(manifest) };
}

/** The part of the metadata that is ours: `metadata.memgate`. @throws BadBundle */
export function readClaims(manifest: Readonly<Record<string, unknown>>): Pick<Manifest, 'serial' | 'notAfterMs'> {
  const metadata = object(manifest['metadata'] ?? {}, '.manifest: metadata');
  const { serial, not_after: notAfter, ...rest } = object(metadata['memgate'] ?? {}, '.manifest: metadata.memgate');
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw new BadBundle('.manifest: metadata.memgate may hold serial and not_after, and nothing else');
  return { serial: readSerial(serial), notAfterMs: readNotAfter(notAfter) };
}

function readSerial(value: unknown): number | null {
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1) return value;
  throw new BadBundle(
    `.manifest: metadata.memgate.serial must be a whole number from 1 to ${String(Number.MAX_SAFE_INTEGER)}`,
  );
}

function readNotAfter(value: unknown): number | null {
  if (value === undefined) return null;
  const ms = typeof value === 'string' ? instantOf(value) : null;
  if (ms === null)
    throw new BadBundle('.manifest: metadata.memgate.not_after must be a time such as 2027-03-31T00:00:00Z');
  return ms;
}

const instantForm = /^(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2})Z$/;

/** Unix time in ms of a time in UTC to the second, or null when there is no such one. @see RFC 3339 */
export function instantOf(text: string): number | null {
  if (!instantForm.test(text)) return null;
  const ms = Date.parse(text);
  // Some readers roll 31 February over into March.
  return Number.isNaN(ms) || instantText(ms) !== text ? null : ms;
}

export const instantText = (ms: number): string => new Date(ms).toISOString().replace(/\.\d{3}Z$/, 'Z');
