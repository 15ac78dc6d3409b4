import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextFile, type Problem } from '../base/document.js';
import { messageOf } from '../base/log.js';
import { fileProblem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import { readSourceDirectory, shippedCapabilities, sourceRevision, type RegoSources } from '../rego/rego.js';

/** Where the parts of a team's policies are. */
export interface Layout {
  /** Root of the bundle: Rego, data and `.manifest`. */
  readonly bundleDir: string;
  readonly casesDir: string;
  /** Null for the one that memgate brings. */
  readonly capabilitiesFile: string | null;
  /** The compiled bundle. */
  readonly outputFile: string;
}

/** Sources with the name of what they are. */
export interface ReadSources extends RegoSources {
  readonly revision: string;
}

const capabilitiesBytesMax = 1_048_576;

/** Reads what a bundle is made from, with its tests. Data that the compiler would pass over in silence is a problem. */
export async function readSources({
  bundleDir,
  capabilitiesFile,
}: Layout): Promise<Result<ReadSources, readonly Problem[]>> {
  const files = await readSourceDirectory(bundleDir);
  if (!files.ok) return files;
  const capabilities =
    capabilitiesFile === null
      ? ok(await shippedCapabilities())
      : await readTextFile(capabilitiesFile, capabilitiesBytesMax);
  if (!capabilities.ok) return no([fileProblem(capabilitiesFile ?? '', capabilities.why)]);
  const unread = await unreadData(bundleDir);
  if (unread.length > 0) return no(unread);
  const sources = { files: files.value, capabilities: capabilities.value };
  return ok({ ...sources, revision: sourceRevision(sources) });
}

/** A tier in `tiers.yaml` beside the rules would not be in the bundle, and nothing would say so. */
async function unreadData(directory: string): Promise<readonly Problem[]> {
  try {
    const names = await readdir(directory, { recursive: true });
    return names
      .filter((name) => /\.(?:json|ya?ml)$/i.test(name) && !/(?:^|[/\\])data\.(?:json|yaml)$/.test(name))
      .filter((name) => !name.split(/[/\\]/).some((part) => part.startsWith('.')))
      .map((name) =>
        fileProblem(join(directory, name), 'is not read by the compiler: data is NAME/data.yaml or NAME/data.json'),
      );
  } catch (error) {
    return [fileProblem(directory, `cannot be read: ${messageOf(error)}`)];
  }
}
