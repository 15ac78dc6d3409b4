import { createHmac, createSecretKey, randomBytes, timingSafeEqual } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { environment } from '../base/env.js';
import { systemClock, type Clock } from '../base/clock.js';
import { no, ok, type Result } from '../base/result.js';
import { readSecret } from '../base/secret-source.js';
import { isKeyLike } from './key.js';

/** One static token of the configuration. Exactly one of the two sources is set; a file is an absolute path. */
export interface StaticTokenSpec {
  readonly id: string;
  readonly from_env?: string | undefined;
  readonly from_file?: string | undefined;
  readonly owner?: string | undefined;
  readonly permissions: readonly string[];
  readonly roles: readonly string[];
  readonly spaces: readonly string[];
  readonly tier?: string | undefined;
}

/** A token that is taken now. A rewritten file makes a new entry: whoever holds the old one can tell. */
export interface StaticTokenEntry {
  readonly spec: StaticTokenSpec;
}

export interface StaticTokens {
  /** Compares with every token in constant time. */
  find(token: string): StaticTokenEntry | undefined;
  /** The entry that is in force for that name, for asking again later. */
  current(id: string): StaticTokenEntry | undefined;
  /** The entry of that name in the newest generation: its rights may be others. */
  latest(id: string): StaticTokenEntry | undefined;
  /** Reads again every file that has changed. */
  refresh(): Promise<void>;
  /**
   * Stops looking at the files.
   *
   * @param successor Tokens of the next generation: from now on `current` says whether they still hold the same secret
   */
  close(successor?: StaticTokens): void;
}

export interface StaticTokensContext {
  /** Prefixes of API keys: a token that begins like one could never be used. */
  readonly prefixes: readonly string[];
  readonly clock?: Clock;
  /** Told when a changed file cannot be taken. */
  readonly warn?: (message: string) => void;
}

const pollMs = 500;
/** A file that is being rewritten in place is empty for a moment; one that stays unusable takes the token with it. */
const badFileGraceMs = 5_000;

const key = createSecretKey(randomBytes(32));
const digestOf = (text: string): Buffer => createHmac('sha256', key).update(text).digest();

interface Live {
  readonly entry: StaticTokenEntry;
  readonly digest: Buffer;
}

interface Slot {
  readonly spec: StaticTokenSpec;
  live: Live | null;
  /** What the file looked like when it was read last. */
  look: string;
  badSinceMs: number | null;
}

async function lookOf(file: string): Promise<string> {
  try {
    const { mtimeMs, ino, size, ctimeMs } = await stat(file);
    return [mtimeMs, ctimeMs, ino, size].join(' ');
  } catch {
    return 'absent';
  }
}

class Tokens implements StaticTokens {
  readonly #slots: readonly Slot[];
  readonly #prefixes: readonly string[];
  readonly #clock: Clock;
  readonly #warn: (message: string) => void;
  readonly #timer: NodeJS.Timeout | null;
  #successor: Tokens | null = null;

  constructor(specs: readonly StaticTokenSpec[], { prefixes, clock, warn }: StaticTokensContext) {
    this.#slots = specs.map((spec) => ({ spec, live: null, look: '', badSinceMs: null }));
    this.#prefixes = prefixes;
    this.#clock = clock ?? systemClock;
    this.#warn = warn ?? (() => undefined);
    const hasFiles = specs.some((spec) => spec.from_file !== undefined);
    this.#timer = hasFiles ? setInterval(() => void this.refresh(), pollMs).unref() : null;
  }

  find(token: string): StaticTokenEntry | undefined {
    const digest = digestOf(token);
    let found: StaticTokenEntry | undefined;
    for (const { live } of this.#slots) if (live !== null && timingSafeEqual(live.digest, digest)) found = live.entry;
    return found;
  }

  current(id: string): StaticTokenEntry | undefined {
    const mine = this.#slots.find(({ spec }) => spec.id === id)?.live ?? null;
    if (mine === null || this.#successor === null) return mine?.entry;
    return this.#successor.holds(id, mine.digest) ? mine.entry : undefined;
  }

  latest(id: string): StaticTokenEntry | undefined {
    return this.#successor === null
      ? this.#slots.find(({ spec }) => spec.id === id)?.live?.entry
      : this.#successor.latest(id);
  }

  /** True when that token still has that secret, here or in the generation that came after. */
  holds(id: string, digest: Buffer): boolean {
    if (this.#successor !== null) return this.#successor.holds(id, digest);
    const live = this.#slots.find(({ spec }) => spec.id === id)?.live ?? null;
    return live !== null && timingSafeEqual(live.digest, digest);
  }

  async refresh(): Promise<void> {
    for (const slot of this.#slots)
      if (slot.spec.from_file !== undefined) await this.#refreshFile(slot, slot.spec.from_file);
  }

  close(successor?: StaticTokens): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    if (successor instanceof Tokens && successor !== this) this.#successor = successor;
  }

  /** Reads one token for the start; the message when it cannot be taken. */
  async load(slot: Slot): Promise<string | null> {
    if (slot.spec.from_file !== undefined) slot.look = await lookOf(slot.spec.from_file);
    const secret = await readSecret(slot.spec, { env: environment, resolvePath: (path) => path });
    if (!secret.ok) return `static token "${slot.spec.id}": ${secret.why}`;
    const text = secret.value.reveal();
    const problem = this.#problem(slot, text);
    if (problem !== null) return `static token "${slot.spec.id}": ${problem}`;
    const digest = digestOf(text);
    if (slot.live === null || !timingSafeEqual(slot.live.digest, digest))
      slot.live = { entry: { spec: slot.spec }, digest };
    slot.badSinceMs = null;
    return null;
  }

  async loadAll(): Promise<readonly string[]> {
    const problems: string[] = [];
    for (const slot of this.#slots) {
      const problem = await this.load(slot);
      if (problem !== null) problems.push(problem);
    }
    return problems;
  }

  #problem(slot: Slot, text: string): string | null {
    if (isKeyLike(text, this.#prefixes)) return 'begins like an API key and would never be compared; use another value';
    const digest = digestOf(text);
    const twin = this.#slots.find(
      (other) => other !== slot && other.live !== null && timingSafeEqual(other.live.digest, digest),
    );
    return twin === undefined ? null : `has the same value as static token "${twin.spec.id}"`;
  }

  async #refreshFile(slot: Slot, file: string): Promise<void> {
    if (slot.badSinceMs === null && (await lookOf(file)) === slot.look) return;
    const problem = await this.load(slot);
    if (problem === null) return;
    const nowMs = this.#clock.monotonicMs();
    if (slot.badSinceMs === null) {
      slot.badSinceMs = nowMs;
      this.#warn(`${problem}; the last good value is kept for ${String(badFileGraceMs / 1_000)} s`);
    } else if (nowMs - slot.badSinceMs >= badFileGraceMs && slot.live !== null) {
      slot.live = null;
      this.#warn(`${problem}; the token is refused until its file is good again`);
    }
  }
}

/**
 * Reads every static token and goes on watching those from files, twice a second.
 *
 * @returns every problem at once: unset, empty, short and placeholder secrets, doubled names and values refuse the start
 */
export async function loadStaticTokens(
  specs: readonly StaticTokenSpec[],
  context: StaticTokensContext,
): Promise<Result<StaticTokens, readonly string[]>> {
  const ids = specs.map(({ id }) => id);
  const doubled = ids.filter((id, index) => ids.indexOf(id) !== index);
  if (doubled.length > 0) return no(doubled.map((id) => `static token "${id}": is declared twice`));
  const tokens = new Tokens(specs, context);
  const problems = await tokens.loadAll();
  if (problems.length === 0) return ok(tokens);
  tokens.close();
  return no(problems);
}
