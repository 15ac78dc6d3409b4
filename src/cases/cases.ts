import { join } from 'node:path';
import type { Problem } from '../base/document.js';
import { diskFiles, type Files } from '../base/files.js';
import { fileProblem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import { readCaseFile, type Case } from './case-file.js';

export type { Case } from './case-file.js';
export { describeFailure, runCases, type CaseFailure } from './run.js';

// More than any team keeps; a directory that was named by mistake must not be read for minutes.
const filesMax = 1_000;
const casesMax = 20_000;

/**
 * The cases of a directory: requests, each with the decision that is wanted. Files are `*.yaml`; names that begin with a dot
 * are left alone (volumes of Kubernetes keep links there). All problems at once, each with its file and line.
 */
export async function readCases(
  directory: string,
  files: Files = diskFiles,
): Promise<Result<readonly Case[], readonly Problem[]>> {
  const names = await namesIn(directory, files);
  if (!names.ok) return names;
  const problems: Problem[] = [];
  const cases: Case[] = [];
  for (const name of names.value) {
    const file = join(directory, name);
    const read = isMisnamed(name)
      ? no([fileProblem(file, 'is not read: cases are NAME.yaml')])
      : await readCaseFile(file, files);
    if (!read.ok) problems.push(...read.why);
    else cases.push(...read.value);
    if (cases.length > casesMax)
      return no([fileProblem(directory, `holds more than ${String(casesMax)} cases, must be fewer`)]);
  }
  return problems.length > 0 ? no(problems) : ok(cases);
}

const isMisnamed = (name: string): boolean => /\.(?:yml|json)$/i.test(name);

async function namesIn(directory: string, files: Files): Promise<Result<readonly string[], readonly Problem[]>> {
  const all = await files.names(directory);
  if (!all.ok) return no([fileProblem(directory, all.why)]);
  const names = all.value.filter((name) => /^[^.].*\.(?:ya?ml|json)$/i.test(name));
  // A gate without cases would let every policy through and look as if it had tested it.
  if (names.length === 0) return no([fileProblem(directory, 'holds no cases (*.yaml)')]);
  if (names.length > filesMax)
    return no([fileProblem(directory, `holds more than ${String(filesMax)} files of cases, must be fewer`)]);
  return ok(names);
}
