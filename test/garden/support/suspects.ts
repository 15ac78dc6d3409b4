import type { Test } from 'tap';
import type { Finding } from './finding.js';
import { sendMutant, type Target } from './send.js';
import { smallest } from './smallest.js';
import type { Tee } from './tee.js';
import { numbersIn, type Sent } from './walk.js';

const shownMax = 5;
const shownBytesMax = 3_000;

const quoted = (bytes: Buffer): string => JSON.stringify(bytes.toString('latin1', 0, shownBytesMax));

/** Which mutant has led to which finding. */
export class Suspects {
  readonly #tee: Tee;
  readonly #target: Target;
  readonly #sent = new Map<number, Sent>();

  constructor(tee: Tee, target: Target) {
    this.#tee = tee;
    this.#target = target;
  }

  note(sent: Sent, numbers: readonly number[]): void {
    for (const number of numbers) if (this.#tee.isBad(number)) this.#sent.set(number, sent);
  }

  /** The same finding from fewer bytes: what is left matters. Null when it is not known, or not seen again without some of them. */
  async shortened({ number }: Finding): Promise<Buffer | null> {
    const bytes = this.#sent.get(number ?? 0)?.mutant.bytes;
    if (bytes === undefined) return null;
    const short = await smallest(bytes, (fewer) => this.#isBad(fewer));
    return short.length < bytes.length ? short : null;
  }

  /** The first of these findings that can be shortened. */
  async firstShortened(findings: readonly Finding[]): Promise<Buffer | null> {
    for (const finding of findings) {
      const short = await this.shortened(finding);
      if (short !== null) return short;
    }
    return null;
  }

  /** Says of the first ones all that is needed to see them again. Ask while the gateway still runs. */
  async explain(t: Test, seed: number): Promise<void> {
    for (const finding of this.#tee.findings.slice(0, shownMax)) {
      const { number, what, bytes } = finding;
      const index = this.#sent.get(number ?? 0)?.index;
      const again = index === undefined ? '' : `: npm run test:garden -- --seed ${seed} --from ${index} --requests 1`;
      t.comment(`disagreement${again}`);
      for (const each of what) t.comment(`  ${each}`);
      t.comment(`  as forwarded: ${quoted(bytes)}`);
      const short = await this.shortened(finding);
      if (short !== null) t.comment(`  as sent, shortened: ${quoted(short)}`);
    }
  }

  async #isBad(bytes: Buffer): Promise<boolean> {
    const answers = await sendMutant(this.#target, { bytes, pieces: [bytes] }, 0);
    return numbersIn(answers).some((number) => this.#tee.isBad(number));
  }
}
