import { checkDocument, readYamlFile, type Problem } from '../base/document.js';
import { diskFiles, type Files } from '../base/files.js';
import { no, ok, type Result } from '../base/result.js';
import { compileProfile, type Profile } from './compile.js';
import { profileProblems, type Tell } from './profile-checks.js';
import { profileSchema } from './profile-schema.js';

/** Reads and checks a profile file; every problem at once, each with its place and the wanted form. */
export async function loadProfile(
  file: string,
  files: Files = diskFiles,
): Promise<Result<Profile, readonly Problem[]>> {
  const document = await readYamlFile(file, { files });
  if (!document.ok) return document;
  const data = checkDocument(profileSchema, document.value);
  if (!data.ok) return data;
  const problems: Problem[] = [];
  const tell: Tell = (path, message) => {
    problems.push({ file: document.value.file, ...document.value.at(path), path: path.join('.'), message });
  };
  profileProblems(data.value, tell);
  problems.sort((one, other) => one.line - other.line || one.column - other.column);
  return problems.length > 0 ? no(problems) : ok(compileProfile(data.value));
}
