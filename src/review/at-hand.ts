import type { Policy } from '../authorize/authorize.js';
import type { PolicyAtHand } from './explain.js';

/**
 * A policy as explanations compare with it.
 *
 * @param generation that it is in force with; null where it was read from files
 */
export const policyAtHand = (policy: Policy, generation: string | null): PolicyAtHand => ({
  revision: policy.revision,
  data: policy.data,
  rego: policy.rego,
  generation,
});
