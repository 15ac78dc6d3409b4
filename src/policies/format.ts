import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Problem } from '../base/document.js';
import { replaceFile } from '../base/replace-file.js';
import { no, ok, type Result } from '../base/result.js';
import type { Compiler } from '../rego/rego.js';
import type { Layout, ReadSources } from './sources.js';
import { placed } from './work.js';

/** Brings Rego into its one format. @returns the files that are not in it, or that were not until now */
export async function formatSources(
  parts: { readonly layout: Layout; readonly sources: ReadSources; readonly compiler: Compiler },
  mayWrite: boolean,
): Promise<Result<readonly string[], readonly Problem[]>> {
  const formatted = await parts.compiler.format(parts.sources);
  if (!formatted.ok) return no(formatted.why.map((problem) => placed(parts.layout, problem)));
  const files = [...formatted.value].map(([name, text]) => ({ file: join(parts.layout.bundleDir, name), text }));
  for (const { file, text } of mayWrite ? files : []) {
    const target = await realpath(file); // a link stays one
    await replaceFile(target, Buffer.from(text), (await stat(target)).mode & 0o777);
  }
  return ok(files.map(({ file }) => file));
}
