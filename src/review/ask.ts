import type { Policy } from '../authorize/authorize.js';
import { Fault } from '../model/codes.js';
import type { Answer } from './difference.js';

/** What a policy answers; null where it fails. */
export function ask(policy: Policy, input: string): Answer {
  try {
    return policy.evaluate(input);
  } catch (thrown) {
    if (thrown instanceof Fault) return null;
    throw thrown;
  }
}
