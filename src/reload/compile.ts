import { join } from 'node:path';
import { fileProblem, type Problem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import { noVerification, readBundle, verifyDirectory, type Bundle, type Verification } from '../bundle/bundle.js';
import { compileAside, readSourceDirectory, shippedCapabilities, type RegoProblem } from '../rego/rego.js';

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

const placed = (dir: string, { file, row, column, code, message }: RegoProblem): Problem => ({
  ...fileProblem(file === '' ? dir : join(dir, file), `${code}: ${message}`),
  line: row,
  column,
});
