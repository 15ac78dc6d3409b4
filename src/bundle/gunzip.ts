import { crc32, inflateRaw } from 'node:zlib';
import { messageOf } from '../base/log.js';
import { BadBundle } from './bad-bundle.js';

const magic = 0x1f8b;
const deflate = 8;
const fixedBytes = 10;
const trailerBytes = 8;
const flags = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 };

interface Inflated {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}

/**
 * Unpacks exactly one gzip member that fills the whole file. Node's own reader joins several members and drops what follows the last
 * one, so that two readers of one file could see different bundles.
 *
 * @see RFC 1952
 */
export async function gunzipWhole(packed: Buffer, maxBytes: number): Promise<Buffer> {
  const start = headerEnd(packed);
  const { buffer, engine } = await inflate(packed.subarray(start), maxBytes);
  const trailer = packed.subarray(start + engine.bytesWritten);
  if (trailer.length < trailerBytes) throw new BadBundle('cannot be unpacked: it is truncated');
  if (trailer.length > trailerBytes) throw new BadBundle('cannot be unpacked: something follows the gzip data');
  if (trailer.readUInt32LE(0) !== crc32(buffer) || trailer.readUInt32LE(4) !== buffer.length) {
    throw new BadBundle('cannot be unpacked: its checksum is not that of its content');
  }
  return buffer;
}

function inflate(bytes: Buffer, maxBytes: number): Promise<Inflated> {
  return new Promise((resolve, reject) => {
    inflateRaw(bytes, { maxOutputLength: maxBytes, info: true }, (error, result) => {
      if (error === null)
        resolve(result as unknown as Inflated); // what `info: true` gives, and the types do not know
      else reject(new BadBundle(`cannot be unpacked: ${inflateFault(error, maxBytes)}`));
    });
  });
}

function inflateFault(error: NodeJS.ErrnoException, maxBytes: number): string {
  if (error.code === 'ERR_BUFFER_TOO_LARGE') return `it holds over ${String(maxBytes)} bytes`;
  return error.code === 'Z_BUF_ERROR' ? 'it is truncated' : messageOf(error);
}

function headerEnd(packed: Buffer): number {
  if (packed.length < 2 || packed.readUInt16BE(0) !== magic) throw new BadBundle('is not a gzip file');
  const set = packed[3] ?? 0;
  if (packed.length < fixedBytes || packed[2] !== deflate || (set & flags.reserved) !== 0) {
    throw new BadBundle('cannot be unpacked: its gzip header is not in a known form');
  }
  let at = fixedBytes;
  if ((set & flags.extra) !== 0) at += 2 + (packed.length >= at + 2 ? packed.readUInt16LE(at) : packed.length);
  if ((set & flags.name) !== 0) at = afterText(packed, at);
  if ((set & flags.comment) !== 0) at = afterText(packed, at);
  return (set & flags.headerCrc) === 0 ? at : at + 2;
}

function afterText(packed: Buffer, at: number): number {
  const end = packed.indexOf(0, at);
  if (end < 0) throw new BadBundle('cannot be unpacked: it is truncated');
  return end + 1;
}
