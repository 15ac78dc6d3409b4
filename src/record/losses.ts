import type { AuditEvent } from '../model/audit.js';
import { ownEvent, type Entry } from './entries.js';

/** Records that could not be written, by type, until a record tells of them. */
export class Losses {
  readonly #byType = new Map<string, number>();

  add(entries: readonly Entry[]): void {
    for (const { event, restore } of entries) {
      if (restore === null) this.#byType.set(event.type, (this.#byType.get(event.type) ?? 0) + 1);
      else restore();
    }
  }

  /** What to write about them; `settle` when that is durable. Null when nothing was lost. */
  report(nowMs: number): { readonly event: AuditEvent; settle(): void } | null {
    if (this.#byType.size === 0) return null;
    const told = new Map(this.#byType);
    const count = [...told.values()].reduce((sum, n) => sum + n, 0);
    return {
      event: ownEvent('system.audit-lost', nowMs, { count, by_type: Object.fromEntries(told) }),
      settle: () => {
        for (const [type, n] of told) this.#settle(type, n);
      },
    };
  }

  #settle(type: string, told: number): void {
    const rest = (this.#byType.get(type) ?? 0) - told;
    if (rest > 0) this.#byType.set(type, rest);
    else this.#byType.delete(type);
  }
}
