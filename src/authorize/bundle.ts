import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { unpackTar, type ParsedTarEntryWithData } from 'modern-tar';
import type { Problem } from '../base/document.js';
import { messageOf } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';

/** The one rule of a bundle that is asked. */
export const entrypoint = 'memgate/authz/decision';

/** A compiled bundle, read and checked for form; nothing of it has run yet. */
export interface Bundle {
  readonly revision: string;
  readonly wasm: Uint8Array;
  readonly data: Readonly<Record<string, unknown>>;
}

// A bundle of ours is 60 KiB packed; the caps stop a decompression bomb long before memory is short.
const packedBytesMax = 4 * 1_048_576;
const unpackedBytesMax = 16 * 1_048_576;
const membersMax = 1_000;
const revisionForm = /^[\x21-\x7e]{1,128}$/;
const gzipMagic = 0x1f8b;

class BadBundle extends Error {}

/** Reads a `.tar.gz` made by `opa build -t wasm`, in memory and under caps. */
export async function readBundle(file: string): Promise<Result<Bundle, readonly Problem[]>> {
  try {
    const members = await unpack(await readPacked(file));
    const revision = checkManifest(json(members, '.manifest'));
    return ok({
      revision,
      wasm: member(members, 'policy.wasm'),
      data: object(json(members, 'data.json'), 'data.json'),
    });
  } catch (error) {
    if (!(error instanceof BadBundle)) throw error;
    return no([{ file, line: 0, column: 0, path: '', message: error.message }]);
  }
}

async function readPacked(file: string): Promise<Buffer> {
  // Opening a pipe without a writer would wait for ever.
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw new BadBundle(`cannot be opened: ${messageOf(error)}`);
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new BadBundle('is not a regular file; wanted a bundle made by opa build');
    if (stat.size > packedBytesMax) throw new BadBundle(`is over ${String(packedBytesMax)} bytes`);
    return await handle.readFile().catch((error: unknown) => {
      throw new BadBundle(`cannot be read: ${messageOf(error)}`);
    });
  } finally {
    await handle.close();
  }
}

async function unpack(packed: Buffer): Promise<ReadonlyMap<string, Uint8Array>> {
  if (packed.length < 2 || packed.readUInt16BE(0) !== gzipMagic) throw new BadBundle('is not a gzip file');
  const entries = await extract(packed);
  if (entries.length > membersMax) throw new BadBundle(`has over ${String(membersMax)} members`);
  const members = new Map<string, Uint8Array>();
  for (const { header, data } of entries) {
    const name = memberName(header.name);
    if (header.type !== 'file') throw new BadBundle(`member "${name}" is not a regular file`);
    if (members.has(name)) throw new BadBundle(`holds member "${name}" twice`);
    if (!isExpected(name)) throw new BadBundle(`holds member "${name}", which this version does not read`);
    members.set(name, data ?? new Uint8Array());
  }
  return members;
}

async function extract(packed: Buffer): Promise<ParsedTarEntryWithData[]> {
  try {
    return await unpackTar(gunzipSync(packed, { maxOutputLength: unpackedBytesMax }), { strict: true });
  } catch (error) {
    throw new BadBundle(`cannot be unpacked: ${messageOf(error)}`);
  }
}

// `opa build` writes names with one leading slash; every other unusual spelling is refused.
function memberName(raw: string): string {
  const name = raw.startsWith('/') ? raw.slice(1) : raw;
  const isPlain = /^[A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)*$/.test(name);
  if (!isPlain || name.split('/').some((part) => part === '.' || part === '..')) {
    throw new BadBundle('holds a member whose name is not a plain relative path');
  }
  return name;
}

// Delta bundles (patch.json) and signatures, which this version does not verify, are refused rather than ignored.
const isExpected = (name: string): boolean =>
  name === '.manifest' || name === 'data.json' || name === 'policy.wasm' || name.endsWith('.rego');

function member(members: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = members.get(name);
  if (bytes === undefined) throw new BadBundle(`has no member "${name}"; wanted a bundle made by opa build -t wasm`);
  return bytes;
}

function json(members: ReadonlyMap<string, Uint8Array>, name: string): unknown {
  const bytes = member(members, name);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new BadBundle(`member "${name}" is not JSON in UTF-8`);
  }
}

function object(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadBundle(`${name} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

function checkManifest(value: unknown): string {
  const manifest = object(value, '.manifest');
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
  return revision;
}
