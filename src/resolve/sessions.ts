import type { Clock } from '../base/clock.js';
import type { Sessions } from '../model/session.js';

export interface SessionLimits {
  readonly max: number;
  readonly maxPerOwner: number;
  readonly idleMs: number;
}

interface Session {
  readonly owner: string;
  usedAtMs: number;
}

/**
 * Sessions in memory, the longest unused first. Nobody can push out the sessions of others but by being many: one owner has a bounded
 * part, and loses its own oldest beyond that. A session that is forgotten is answered 404, and clients then open another.
 */
export class SessionBook implements Sessions {
  readonly #limits: SessionLimits;
  readonly #clock: Clock;
  readonly #sessions = new Map<string, Session>();
  readonly #byOwner = new Map<string, Set<string>>();

  constructor(limits: SessionLimits, clock: Clock) {
    this.#limits = limits;
    this.#clock = clock;
  }

  get size(): number {
    return this.#sessions.size;
  }

  ownerOf(id: string): string | null {
    const session = this.#live(id);
    if (session === null) return null;
    this.#touch(id, session);
    return session.owner;
  }

  opened(id: string, owner: string): boolean {
    const known = this.#live(id);
    if (known !== null) {
      if (known.owner === owner) this.#touch(id, known);
      return known.owner === owner;
    }
    const { max, maxPerOwner } = this.#limits;
    const own = this.#byOwner.get(owner);
    if (own !== undefined && own.size >= maxPerOwner) this.#forgetFirst(own);
    if (this.#sessions.size >= max) this.#forgetFirst(this.#sessions.keys());
    this.#sessions.set(id, { owner, usedAtMs: this.#clock.monotonicMs() });
    const now = this.#byOwner.get(owner);
    if (now === undefined) this.#byOwner.set(owner, new Set([id]));
    else now.add(id);
    return true;
  }

  ended(id: string): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    const own = this.#byOwner.get(session.owner);
    own?.delete(id);
    if (own?.size === 0) this.#byOwner.delete(session.owner);
  }

  #live(id: string): Session | null {
    const session = this.#sessions.get(id);
    if (session === undefined) return null;
    if (this.#clock.monotonicMs() - session.usedAtMs <= this.#limits.idleMs) return session;
    this.ended(id);
    return null;
  }

  /** To the end of both orders. */
  #touch(id: string, session: Session): void {
    session.usedAtMs = this.#clock.monotonicMs();
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    const own = this.#byOwner.get(session.owner);
    own?.delete(id);
    own?.add(id);
  }

  #forgetFirst(ids: Iterable<string>): void {
    for (const id of ids) {
      this.ended(id);
      return;
    }
  }
}
