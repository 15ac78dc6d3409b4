import type { Clock } from '../base/clock.js';
import type { Logger } from '../base/log.js';
import type { Meter } from '../model/meter.js';
import type { Watchdog } from './watchdog.js';

/** What a policy works with. */
export interface PolicyPorts {
  readonly clock: Clock;
  readonly meter: Pick<Meter, 'policyEvaluation' | 'policyError' | 'policyInstanceReplaced'>;
  readonly log: Logger;
  /** Told of every evaluation, when there is one. */
  readonly watchdog?: Watchdog | undefined;
}
