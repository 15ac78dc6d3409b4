import { fileURLToPath } from 'node:url';
import type { PolicyData } from '../authorize/authorize.js';
import { describeProblem } from '../base/document.js';
import { no, ok, type Result } from '../base/result.js';
import {
  describeRegoProblem,
  openCompiler,
  readSourceDirectory,
  shippedCapabilities,
  type Explanation,
  type RegoSources,
} from '../rego/rego.js';

/** The value of the decision by the compiler's own evaluator, and the rules and expressions that led to it. */
export type Trace = Explanation;

export interface TraceWish {
  /** Directory of policy sources; those that memgate brings when null. */
  readonly directory: string | null;
  /** What was asked, as JSON text. */
  readonly input: string;
  /** Data that stand in the place of those of the sources. */
  readonly data: PolicyData | null;
}

// The place is the same from src/ and from dist/.
const shippedSources = fileURLToPath(new URL('../../policies/bundle/', import.meta.url));

/** Asks the second evaluator, which can say how it came to its answer. Not for requests: it takes milliseconds, and starting it seconds. */
export async function traceDecision({ directory, input, data }: TraceWish): Promise<Result<Trace, string>> {
  const files = await readSourceDirectory(directory ?? shippedSources);
  if (!files.ok) return no(files.why.map(describeProblem).join('\n'));
  const compiler = await openCompiler();
  if (!compiler.ok) return compiler;
  try {
    const sources = { files: withData(files.value, data), capabilities: await shippedCapabilities() };
    const explained = await compiler.value.explain(sources, input);
    return explained.ok ? ok(explained.value) : no(explained.why.map(describeRegoProblem).join('\n'));
  } finally {
    await compiler.value.close();
  }
}

/** The sources with the data of the policy at hand: what a configuration replaces counts here too. */
function withData(files: RegoSources['files'], data: PolicyData | null): RegoSources['files'] {
  if (data === null) return files;
  const replaced = new Map([...files].filter(([path]) => !/(?:^|\/)data\.(?:json|yaml)$/.test(path)));
  for (const [name, value] of Object.entries(data))
    replaced.set(`${name}/data.json`, Buffer.from(JSON.stringify(value)));
  return replaced;
}
