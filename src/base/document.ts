import { Worker } from 'node:worker_threads';
import { parseText, type ParsedText } from './document-parse.js';
import { createDocument, type YamlDocument } from './document-value.js';
import { diskFiles, type Files } from './files.js';
import { fileProblem, type Problem } from './problem.js';
import { no, ok, type Result } from './result.js';

export { checkDocument, checkPart } from './document-check.js';
export type { YamlDocument } from './document-value.js';
export { describeProblem, type Problem } from './problem.js';

const documentBytesMax = 1_048_576;
// The worst text of this size takes a tenth of a second to parse; anything larger must not stop the event loop.
const inlineBytesMax = 16_384;
const parseMsMax = 20_000;
// Flags of V8 count more than this: under bin/memgate it is the 256 of NODE_OPTIONS.
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
  { maxBytes = documentBytesMax, files = diskFiles }: { readonly maxBytes?: number; readonly files?: Files } = {},
): Promise<Result<YamlDocument, readonly Problem[]>> {
  const read = await readTextFile(file, maxBytes, files);
  return read.ok ? readYaml(file, read.value, maxBytes) : no([fileProblem(file, read.why)]);
}

/** The text of a regular file of at most `maxBytes` bytes of UTF-8, or what is wrong with it. */
export async function readTextFile(
  file: string,
  maxBytes: number,
  files: Files = diskFiles,
): Promise<Result<string, string>> {
  const read = await files.bytes(file, maxBytes);
  if (!read.ok) return read;
  if (read.value.length === 0) return no('is empty');
  try {
    return ok(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(read.value));
  } catch {
    return no('is not UTF-8 text');
  }
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
