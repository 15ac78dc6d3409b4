import { createHash } from 'node:crypto';
import { describeProblem } from '../base/problem.js';
import type { PolicyPorts } from '../authorize/authorize.js';
import { loadCandidate, type Candidate, type CandidateSource, type Sources } from '../reload/reload.js';
import type { Shadow, Candidate as ShadowCandidate } from '../shadow/shadow.js';

/** Its evaluations take their time from everybody else's, in ms: none of them may be long. */
const cutAfterMs = 50;

/** Which candidate is asked: the last word of an operator or of the configuration. One for the process. */
export class Candidates {
  readonly #shadow: Shadow;
  readonly #ports: PolicyPorts;
  #running: Candidate | null = null;
  #configured = '';
  #live: Sources | null = null;

  constructor(shadow: Shadow, ports: PolicyPorts) {
    this.#shadow = shadow;
    this.#ports = ports;
  }

  running(): Candidate | null {
    return this.#running;
  }

  /** Another generation is in force. What the configuration says counts where it says something new. */
  settled(live: Sources): void {
    this.#live = live;
    const { candidate } = live;
    const said = candidate === null ? '' : nameOf(candidate);
    const isNew = said !== this.#configured;
    this.#configured = said;
    if ((isNew && candidate !== null) || this.#running?.origin === 'configuration') this.#running = candidate;
    this.#ask();
    if (this.#running?.origin === 'command') void this.#renew(this.#running);
  }

  /** Checks one, under the configuration in force. */
  load(source: CandidateSource): ReturnType<typeof loadCandidate> {
    if (this.#live === null) throw new Error('a candidate before the first generation');
    return loadCandidate(this.#live.loaded, source, { ports: this.#ports });
  }

  use(candidate: Candidate | null): void {
    this.#running = candidate;
    this.#ask();
  }

  /** Its data files may be others by now: it must not differ for that alone. */
  async #renew(former: Candidate): Promise<void> {
    const made = await this.load(former).catch(() => null);
    if (this.#running !== former || made === null) return;
    if (!made.ok) this.#ports.log.error('policy.candidate-ended', { problems: made.why.map(describeProblem) });
    this.use(made.ok ? made.value : null);
  }

  #ask(): void {
    const candidate = this.#running;
    const live = this.#live?.policy.digest ?? '';
    if (candidate === null || candidate.policy.digest === live) this.#shadow.use(null);
    else {
      const { policy, share } = candidate;
      const evaluate: ShadowCandidate['evaluate'] = (text) => policy.tryOut(text, cutAfterMs);
      this.#shadow.use({ candidate: { revision: policy.revision, digest: policy.digest, share, evaluate }, live });
    }
  }
}

const nameOf = ({ packed, dataDir, share }: CandidateSource): string =>
  JSON.stringify([createHash('sha256').update(packed).digest('hex'), dataDir, share]);
