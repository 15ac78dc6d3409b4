import type { AuditEvent } from '../model/audit.js';

export interface BudgetOptions {
  readonly perSecond: number;
  readonly perSecondPerAddress: number;
}

/** Refusals that were counted instead of written. */
export interface Folded {
  readonly count: number;
  readonly byCode: Readonly<Record<string, number>>;
  readonly byCause: Readonly<Record<'budget' | 'address' | 'reserve', number>>;
  readonly fromMs: number;
}

const codeOf = ({ fields, type }: AuditEvent): string => (typeof fields['code'] === 'string' ? fields['code'] : type);

const noCauses = { budget: 0, address: 0, reserve: 0 };

/** How many refusals may be written one by one, by whole seconds; the rest is counted by code. */
export class Budget {
  readonly #options: BudgetOptions;
  #second = -1;
  #taken = 0;
  // Holds only groups that took a unit in this second: never more than `perSecond` entries.
  readonly #byGroup = new Map<string, number>();
  #count = 0;
  #fromMs = 0;
  readonly #byCode = new Map<string, number>();
  #byCause = { ...noCauses };

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** Takes one unit, or counts the refusal and says no. */
  admits(event: AuditEvent, addressGroup: string, monotonicMs: number): boolean {
    const now = Math.floor(monotonicMs / 1_000);
    if (now !== this.#second) {
      this.#second = now;
      this.#taken = 0;
      this.#byGroup.clear();
    }
    const ofGroup = this.#byGroup.get(addressGroup) ?? 0;
    const isOver = ofGroup >= this.#options.perSecondPerAddress;
    if (isOver || this.#taken >= this.#options.perSecond) {
      this.fold(event, isOver ? 'address' : 'budget');
      return false;
    }
    this.#taken += 1;
    this.#byGroup.set(addressGroup, ofGroup + 1);
    return true;
  }

  /** Counts a refusal that there was no room for. */
  fold(event: AuditEvent, cause: keyof Folded['byCause']): void {
    this.#add({ count: 1, fromMs: event.atMs, byCode: { [codeOf(event)]: 1 }, byCause: { ...noCauses, [cause]: 1 } });
  }

  /** What was counted since the last call; null when nothing was. */
  takeFolded(): Folded | null {
    if (this.#count === 0) return null;
    const byCode = Object.fromEntries(this.#byCode);
    const folded: Folded = { count: this.#count, fromMs: this.#fromMs, byCode, byCause: this.#byCause };
    this.#count = 0;
    this.#byCode.clear();
    this.#byCause = { ...noCauses };
    return folded;
  }

  /** Gives back what could not be written after all. */
  restore(folded: Folded): void {
    this.#add(folded);
  }

  #add({ count, fromMs, byCode, byCause }: Folded): void {
    this.#fromMs = this.#count === 0 ? fromMs : Math.min(this.#fromMs, fromMs);
    this.#count += count;
    for (const [code, n] of Object.entries(byCode)) this.#byCode.set(code, (this.#byCode.get(code) ?? 0) + n);
    for (const cause of ['budget', 'address', 'reserve'] as const) this.#byCause[cause] += byCause[cause];
  }
}
