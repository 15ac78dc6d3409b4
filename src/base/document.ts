import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { parseText, type ParsedText } from './document-parse.js';
import { createDocument, type YamlDocument } from './document-value.js';
import { fileProblem, type Problem } from './problem.js';
import { no, ok, type Result } from './result.js';

export { checkDocument, checkPart } from './document-check.js';
export type { YamlDocument } from './document-value.js';
export { describeProblem, type Problem } from './problem.js';

const documentBytesMax = 1_048_576;
// The worst text of this size takes a tenth of a second to parse; anything larger must not stop the event loop.
const inlineBytesMax = 16_384;
const parseMsMax = 20_000;
const workerMegabytesMax = 512;

/**
 * Parses YAML text under caps: bytes, depth, time; no aliases, tags or directives, no duplicate names. A warning counts
 * as an error. A text over 16 KiB is parsed in a thread of its own.
 *
 * @param maxBytes Largest accepted text; 1 MiB unless told
 */
export async function readYaml(
  file: string,
  text: string,
  maxBytes = documentBytesMax,
): Promise<Result<YamlDocument, readonly Problem[]>> {
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) return no([fileProblem(file, `holds ${String(bytes)} bytes, must be ≤ ${String(maxBytes)}`)]);
  const parsed = bytes <= inlineBytesMax ? parseText(text) : await parseAside(text, parseMsMax);
  return parsed.ok
    ? ok(createDocument(file, text, parsed))
    : no(parsed.problems.map((problem) => ({ file, ...problem })));
}

/** Reads a YAML file once into memory and parses it as `readYaml` does. */
export async function readYamlFile(
  file: string,
  maxBytes = documentBytesMax,
): Promise<Result<YamlDocument, readonly Problem[]>> {
  const read = await readTextFile(file, maxBytes);
  return read.ok ? readYaml(file, read.value, maxBytes) : no([fileProblem(file, read.why)]);
}

/** The text of a regular file of at most `maxBytes` bytes of UTF-8, or what is wrong with it. */
export async function readTextFile(file: string, maxBytes: number): Promise<Result<string, string>> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe without a writer must not hang the start
    if (!(await handle.stat()).isFile()) return no('is not a regular file');
    const bytes = await readUpTo(handle, maxBytes + 1);
    if (bytes.length > maxBytes) return no(`holds more than ${String(maxBytes)} bytes`);
    return bytes.length === 0
      ? no('is empty')
      : ok(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (thrown) {
    return no(readFault(thrown));
  } finally {
    await handle?.close();
  }
}

async function readUpTo(handle: FileHandle, max: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let left = max; left > 0;) {
    const { bytesRead, buffer } = await handle.read(
      Buffer.alloc(Math.min(left, 65_536)),
      0,
      Math.min(left, 65_536),
      null,
    );
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    left -= bytesRead;
  }
  return Buffer.concat(chunks);
}

const readFaults: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist: a part of its path is not a directory',
  EACCES: 'cannot be read: permission denied',
  ELOOP: 'cannot be read: too many symbolic links',
  ERR_ENCODING_INVALID_ENCODED_DATA: 'is not UTF-8 text',
};

function readFault(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown error';
  return readFaults[code] ?? `cannot be read: ${code}`;
}

/** Parses in a thread of its own, which is ended when it takes too long or too much memory. */
export function parseAside(text: string, msMax: number): Promise<ParsedText> {
  // The thread runs the neighbour of this very file, so that sources under the test runner and built files both work.
  const suffix = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`./document-worker.${suffix}`, import.meta.url), {
    workerData: { text },
    resourceLimits: { maxOldGenerationSizeMb: workerMegabytesMax },
  });
  return new Promise((resolve) => {
    const fail = (message: string): void => {
      resolve({ ok: false, problems: [{ line: 0, column: 0, path: '', message }] });
    };
    const timer = setTimeout(() => {
      fail(`took longer than ${String(msMax)} ms to parse`);
      void worker.terminate();
    }, msMax);
    worker.once('message', resolve);
    worker.once('error', () => {
      fail('takes too much memory to parse');
    });
    worker.once('exit', () => {
      clearTimeout(timer);
      fail('could not be parsed');
    });
  });
}
