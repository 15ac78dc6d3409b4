import { no } from '../base/result.js';
import type { Answer, RegoProblem } from './port.js';
import { compilerProblem, problemsIn } from './problems.js';
import type { Ran } from './run.js';
import type { Scratch } from './scratch.js';
import type { Texts } from './texts.js';

/** Runs the compiler in a directory; `input` goes to its standard input. */
export type Opa = (args: readonly string[], cwd: string, input?: string) => Promise<Answer<Ran>>;

/** One call: its sources in a directory, and the program under the call's bounds. */
export interface NativeCall {
  readonly texts: Texts;
  readonly scratch: Scratch;
  readonly opa: Opa;
}

/** Some commands tell their errors on standard output. */
export function told({ stdout, stderr, code }: Ran): RegoProblem {
  const text = `${stderr}${stdout}`.trim();
  return compilerProblem('compiler_failed', text === '' ? `ended with ${String(code)}` : text);
}

/** Commands that tell errors as text only: the same errors with their places, from a command that knows those. */
export async function placed({ scratch, opa }: NativeCall, ran: Ran): Promise<Answer<never>> {
  const again = await opa(['check', '--format', 'json', '-b', '.'], scratch.bundle);
  if (!again.ok) return again;
  return no((again.value.code === 0 ? null : problemsIn(again.value.stderr)) ?? [told(ran)]);
}

/** The value of a JSON text, or undefined. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
