import { existsSync } from 'node:fs';
import { fileProblem } from '../base/problem.js';
import { noVerification, readBundleFile, type Bundle } from '../bundle/bundle.js';
import { itemsFrom, type Found } from './found.js';
import type { Work } from './work.js';

/** Is the compiled bundle that lies beside the sources the one that they give? A signature on it is not looked at. */
export async function compareBundle({ layout, bundle, sources }: Work): Promise<Found> {
  const { outputFile } = layout;
  if (!existsSync(outputFile)) return { items: [], note: `there is no ${outputFile}`, isLeftOut: true };
  const [built, kept] = [await bundle(), await readBundleFile(outputFile, noVerification)];
  if (!built.ok) return { items: itemsFrom('bundle', built.why), note: '' };
  if (!kept.ok) return { items: itemsFrom('bundle', kept.why), note: '' };
  const differing = differences(built.value, kept.value);
  const message = `is not what the sources give (revision ${kept.value.revision}, they are ${sources.revision}; different: ${differing.join(', ')}): run memgate policy build`;
  const problems = differing.length === 0 ? [] : [fileProblem(outputFile, message)];
  return { items: itemsFrom(outputFile, problems), note: `${built.value.members.size} members` };
}

// Signing adds a member and writes into the manifest.
const signed = new Set(['.signatures.json', '.manifest']);

function differences(built: Bundle, kept: Bundle): string[] {
  const names = [...new Set([...built.members.keys(), ...kept.members.keys()])].filter((name) => !signed.has(name));
  const differing = names.filter((name) => {
    const [one, other] = [built.members.get(name), kept.members.get(name)];
    return one === undefined || other === undefined || Buffer.compare(one, other) !== 0;
  });
  return built.revision === kept.revision ? differing : [...differing, 'revision'];
}
