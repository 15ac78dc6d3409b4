import { no } from '../base/result.js';
import type { KeyProblem } from './port.js';

/** A no, with its sentences. */
export const problem = (
  kind: KeyProblem['kind'],
  ...problems: readonly string[]
): { readonly ok: false; readonly why: KeyProblem } => no({ kind, problems });
