import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { packTar, unpackTar } from 'modern-tar';
import { root } from './build.js';

/** The shipped bundle. */
export const shipped = join(root, 'policies', 'dist', 'memgate.tar.gz');

/** A bad bundle of test/fixtures/policies. */
export const badBundle = (name: string): string => join(root, 'test', 'fixtures', 'policies', `${name}.tar.gz`);

/** The shipped bundle with its module changed. */
export async function withModule(change: (wasm: Buffer) => Buffer): Promise<Buffer> {
  const entries = await unpackTar(gunzipSync(readFileSync(shipped)));
  const changed = entries.map(({ header, data }) => {
    const bytes = Buffer.from(data ?? []);
    const body = Uint8Array.from(header.name === '/policy.wasm' ? change(bytes) : bytes);
    return { header: { ...header, size: body.length }, data: body };
  });
  return gzipSync(await packTar(changed));
}

/** Replaces the first place of these bytes by as many others. */
export function patch(wasm: Buffer, from: Buffer, to: Buffer): Buffer {
  const at = wasm.indexOf(from);
  if (at < 0 || from.length !== to.length) throw new Error('the module holds no such bytes');
  const patched = Buffer.from(wasm);
  to.copy(patched, at);
  return patched;
}
