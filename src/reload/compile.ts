import { join } from 'node:path';
import { fileProblem, type Problem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import { noVerification, readBundle, verifyDirectory, type Bundle, type Verification } from '../bundle/bundle.js';
import type { Content } from '../origin/origin.js';
import { compileAside, isSource, readSourceDirectory, shippedCapabilities, type RegoProblem } from '../rego/rego.js';

export interface Compiled {
  readonly bundle: Bundle;
  readonly bytes: Buffer;
}

/**
 * Makes a bundle of a directory of Rego: verifies who has signed the directory, and checks, tests and builds it in a
 * process of its own. What comes out goes through the same gate as a bundle that somebody else has built.
 */
export async function compileDirectory(
  dir: string,
  verification: Verification,
): Promise<Result<Compiled, readonly Problem[]>> {
  const files = await readSourceDirectory(dir);
  if (!files.ok) return files;
  const signedBy = await verifyDirectory(files.value, verification, dir);
  if (!signedBy.ok) return signedBy;
  const built = await compileAside({ files: files.value, capabilities: await shippedCapabilities() });
  if (!built.ok) return no(built.why.map((problem) => placed(dir, problem)));
  const bundle = await readBundle(built.value, noVerification, dir);
  // What the signature of the directory says of its files, the compiler has put into the bundle: the manifest is one of them.
  return bundle.ok ? ok({ bundle: { ...bundle.value, signedBy: signedBy.value }, bytes: built.value }) : bundle;
}

/**
 * A bundle that was compiled here once, and kept with the directory that it was made of. It has no signature of its own, so
 * that of the directory is verified again: the keys of now count, and not those of then.
 */
export async function compiledBefore(
  dir: string,
  verification: Verification,
  { bundle: bytes, files }: Pick<Content, 'bundle' | 'files'>,
): Promise<Result<Compiled, readonly Problem[]>> {
  const bundle = await readBundle(bytes, noVerification, dir);
  if (!bundle.ok || bundle.value.isSigned) return signedItself(bytes, verification, dir); // promoted, and not made here
  const signedBy = await verifyDirectory(sourcesIn(dir, files), verification, dir);
  return signedBy.ok ? ok({ bundle: { ...bundle.value, signedBy: signedBy.value }, bytes }) : signedBy;
}

async function signedItself(
  bytes: Buffer,
  verification: Verification,
  place: string,
): Promise<Result<Compiled, readonly Problem[]>> {
  const bundle = await readBundle(bytes, verification, place);
  return bundle.ok ? ok({ bundle: bundle.value, bytes }) : bundle;
}

function sourcesIn(dir: string, files: Content['files']): ReadonlyMap<string, Uint8Array> {
  const start = `${dir}/`;
  const under = [...files].filter(([path]) => path.startsWith(start));
  const named = under.map(([path, bytes]) => [path.slice(start.length).replace(/^\.\.data\//, ''), bytes] as const);
  return new Map(named.filter(([path]) => isSource(path)));
}

const placed = (dir: string, { file, row, column, code, message }: RegoProblem): Problem => ({
  ...fileProblem(file === '' ? dir : join(dir, file), `${code}: ${message}`),
  line: row,
  column,
});
