import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { messageOf } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';

const unpack = promisify(brotliDecompress);

/** What tools/rego-wasm builds; the place is the same from src/ and from dist/. */
const place = (name: string): string => fileURLToPath(new URL(`../../tools/rego-wasm/${name}`, import.meta.url));

const unpackedBytesMax = 96 * 1_048_576;

/** Reads the compiler that memgate brings and compiles it; workers are made from the one module. */
export async function loadArtefact(): Promise<Result<WebAssembly.Module, string>> {
  const packed = await readFile(place('rego.wasm.br')).catch(messageOf);
  if (typeof packed === 'string') return no(`the policy compiler that memgate brings cannot be read: ${packed}`);
  const hashes = await readFile(place('rego.wasm.sha256'), 'utf8').catch(() => '');
  const hash = createHash('sha256').update(packed).digest('hex');
  if (!hashes.split('\n').includes(`${hash}  rego.wasm.br`))
    return no(
      'the policy compiler that memgate brings is not the one of its hash: tools/rego-wasm/rego.wasm.br is damaged',
    );
  const wasm = await unpack(packed, { maxOutputLength: unpackedBytesMax });
  return ok(await WebAssembly.compile(wasm));
}
