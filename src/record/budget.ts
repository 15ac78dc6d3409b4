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

/** How many refusals may be written one by one, by whole seconds; the rest is counted by code. */
export interface Budget {
  /** Takes one unit, or counts the refusal and says no. */
  admits(event: AuditEvent, addressGroup: string, monotonicMs: number): boolean;
  /** Counts a refusal that there was no room for. */
  fold(event: AuditEvent, cause: keyof Folded['byCause']): void;
  /** What was counted since the last call; null when nothing was. */
  takeFolded(): Folded | null;
  /** Gives back what could not be written after all. */
  restore(folded: Folded): void;
  readonly hasFolded: boolean;
}

const codeOf = ({ fields, type }: AuditEvent): string => (typeof fields['code'] === 'string' ? fields['code'] : type);

export function createBudget({ perSecond, perSecondPerAddress }: BudgetOptions): Budget {
  let second = -1;
  let taken = 0;
  // Holds only groups that took a unit in this second: never more than `perSecond` entries.
  const byGroup = new Map<string, number>();
  let count = 0;
  let fromMs = 0;
  const byCode = new Map<string, number>();
  const byCause = { budget: 0, address: 0, reserve: 0 };

  const add = (code: string, n: number): void => void byCode.set(code, (byCode.get(code) ?? 0) + n);
  const fold: Budget['fold'] = (event, cause) => {
    if (count === 0) fromMs = event.atMs;
    count += 1;
    byCause[cause] += 1;
    add(codeOf(event), 1);
  };

  return {
    get hasFolded() {
      return count > 0;
    },
    fold,
    admits(event, group, monotonicMs) {
      const now = Math.floor(monotonicMs / 1_000);
      if (now !== second) {
        second = now;
        taken = 0;
        byGroup.clear();
      }
      const ofGroup = byGroup.get(group) ?? 0;
      if (ofGroup >= perSecondPerAddress) fold(event, 'address');
      else if (taken >= perSecond) fold(event, 'budget');
      else {
        taken += 1;
        byGroup.set(group, ofGroup + 1);
        return true;
      }
      return false;
    },
    takeFolded() {
      if (count === 0) return null;
      const folded: Folded = { count, fromMs, byCode: Object.fromEntries(byCode), byCause: { ...byCause } };
      count = 0;
      byCode.clear();
      Object.assign(byCause, { budget: 0, address: 0, reserve: 0 });
      return folded;
    },
    restore(folded) {
      fromMs = count === 0 ? folded.fromMs : Math.min(fromMs, folded.fromMs);
      count += folded.count;
      for (const [code, n] of Object.entries(folded.byCode)) add(code, n);
      byCause.budget += folded.byCause.budget;
      byCause.address += folded.byCause.address;
      byCause.reserve += folded.byCause.reserve;
    },
  };
}
