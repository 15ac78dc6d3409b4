import { fileProblem, type Problem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import type { Clock } from '../base/clock.js';
import { admit, instantText, type Admitted, type Bundle, type SerialBook } from '../bundle/bundle.js';
import type { LoadedConfig } from '../config/config.js';

/** What a bundle has to follow on. */
export interface PolicyGate {
  readonly serials: SerialBook;
  /** Somebody wants to go back on purpose. */
  readonly allowsRollback: boolean;
  readonly clock: Clock;
}

/** Says whether a bundle that was read may be taken. */
export async function admission(
  bundle: Bundle,
  { config }: LoadedConfig,
  { gate, place }: { readonly gate: PolicyGate; readonly place: string },
): Promise<Result<Admitted, readonly Problem[]>> {
  const { verification } = config.policy;
  // Without a key there is nothing to be believed, and the book of an earlier configuration is no reason to refuse anything.
  const last = verification === undefined ? ok(null) : await gate.serials.last();
  if (!last.ok) return no([fileProblem(place, last.why)]);
  const admitted = admit(bundle, {
    rules: {
      minSerial: verification?.min_serial ?? null,
      requiresSerial: verification?.require_serial ?? false,
      enforcesNotAfter: verification?.enforce_not_after ?? false,
    },
    last: last.value,
    allowsRollback: gate.allowsRollback,
    nowMs: gate.clock.nowMs(),
  });
  return admitted.ok ? admitted : no([fileProblem(place, admitted.why)]);
}

export const notAfterText = ({ notAfterMs }: Pick<Bundle, 'notAfterMs'>): string | null =>
  notAfterMs === null ? null : instantText(notAfterMs);
