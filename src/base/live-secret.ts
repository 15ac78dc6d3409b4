import { stat } from 'node:fs/promises';
import { readSecret, type SecretReading, type SecretSource } from './secret-source.js';
import { ok, type Result } from './result.js';
import type { Secret } from './secret.js';

/** A secret that may become another one while the process runs. */
export interface LiveSecret {
  /** The last good one; the same object as long as it is the same secret. */
  current(): Secret;
}

/** Told of files that have changed; places and reasons hold no secret. */
export interface LiveSecretEvents {
  readonly replaced: (place: string) => void;
  readonly refused: (place: string, why: string) => void;
}

/** One secret to read: where it is, what to call it in messages, and how short it may be. */
export interface LiveSecretWish {
  readonly place: string;
  readonly source: SecretSource;
  readonly minLength?: number;
}

const pollMs = 500;
/** Hundreds of files are looked at more seldom: looks share their threads with the hashing of credentials. */
const pollMsPerFile = 5;

interface Slot {
  readonly wish: LiveSecretWish;
  secret: Secret;
  /** What the file looked like when it was read last. */
  read: string;
  /** What it looked like at the last look: it is read when two looks agree. */
  seen: string;
  isRefused: boolean;
}

/** Nanoseconds of both times, so that a second write within a tick of the clock shows. A symbolic link is followed: that is how volumes switch. */
async function lookOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return 'absent';
  }
}

/**
 * Secrets from environment and files. The files are looked at twice a second, over a hundred of them more seldom, and read again when they have changed and then stood still
 * from one look to the next: a file that is rewritten in place is half a secret for a moment. What cannot be taken leaves the old one in force.
 */
export class LiveSecrets {
  readonly #reading: SecretReading;
  readonly #events: LiveSecretEvents;
  readonly #slots: Slot[] = [];
  #timer: NodeJS.Timeout | null = null;
  #isLooking = false;

  constructor(reading: SecretReading, events: LiveSecretEvents) {
    this.#reading = reading;
    this.#events = events;
  }

  /** Files whose present content was refused. */
  get refusedFiles(): number {
    return this.#slots.filter(({ isRefused }) => isRefused).length;
  }

  /** Reads a secret, and goes on looking at its file. @returns the message when it cannot be taken */
  async add(wish: LiveSecretWish): Promise<Result<LiveSecret, string>> {
    const file = wish.source.from_file;
    const look = file === undefined ? '' : await lookOf(this.#reading.resolvePath(file));
    const secret = await this.#read(wish);
    if (!secret.ok) return secret;
    const slot: Slot = { wish, secret: secret.value, read: look, seen: look, isRefused: false };
    if (file !== undefined) this.#slots.push(slot);
    return ok({ current: () => slot.secret });
  }

  watch(): void {
    if (this.#slots.length === 0) return;
    const everyMs = Math.max(pollMs, this.#slots.length * pollMsPerFile);
    this.#timer ??= setInterval(() => void this.refresh(), everyMs).unref();
  }

  /** One look at every file. */
  async refresh(): Promise<void> {
    if (this.#isLooking) return; // a slow disk must not pile looks up
    this.#isLooking = true;
    try {
      for (const slot of this.#slots) await this.#look(slot);
    } finally {
      this.#isLooking = false;
    }
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #look(slot: Slot): Promise<void> {
    const file = this.#reading.resolvePath(slot.wish.source.from_file ?? '');
    const look = await lookOf(file);
    const hasSettled = look === slot.seen;
    slot.seen = look;
    if (look === slot.read || !hasSettled) return;
    const secret = await this.#read(slot.wish);
    if ((await lookOf(file)) !== look) return; // written while it was read: the next look says more
    slot.read = look;
    slot.isRefused = !secret.ok;
    if (!secret.ok) this.#events.refused(slot.wish.place, secret.why);
    else if (!slot.secret.equals(secret.value.reveal())) {
      slot.secret = secret.value;
      this.#events.replaced(slot.wish.place);
    }
  }

  #read({ source, minLength }: LiveSecretWish): Promise<Result<Secret, string>> {
    return readSecret(source, minLength === undefined ? this.#reading : { ...this.#reading, minLength });
  }
}
