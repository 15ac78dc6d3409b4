import { no, ok } from '../base/result.js';
import { capped } from '../base/encoding.js';
import { messageOf } from '../base/log.js';
import { keyIdForm, matchesHash, parseKey, type KeyEntry } from '../identify/identify.js';
import { isoTime } from '../manifests/manifests.js';
import type { AuditEvent } from '../model/audit.js';
import { Fault } from '../model/codes.js';
import type {
  CheckedKey,
  Grantor,
  IssuedKey,
  KeyAdminContext,
  KeyAnswer,
  KeyDesk,
  KeyInventory,
  KeyProblem,
  KeyView,
  KeyWish,
  ListFilter,
  RevokedKey,
  RotatedKey,
  RotateWish,
} from './port.js';
import { freshKey, type KeyFacts } from './fresh.js';
import { inventoryOf } from './inventory.js';
import { keyEvent, recordedFacts, type KeyEventFields, type KeyEventName } from './key-event.js';
import type { Ledger } from './ledger.js';
import { problem } from './problem.js';
import { reachOf } from './reach.js';
import { rotationProblem } from './rotation.js';
import { issuedOf, viewOf } from './view.js';
import { expiryOf, grantProblems, wishProblems } from './wish.js';

/** A key that is revoked without a record of it: told, but never a reason to let the key live. */
const asLost = (thrown: unknown): Fault =>
  new Fault(
    'record.unavailable',
    `the key is revoked and opens nothing any more, but ${messageOf(thrown)}: revoke it again to record it`,
  );

type Operation = 'create' | 'rotate' | 'revoke';
const reasonMax = 256;

/** Keys are made, changed and shown here, for one operator. */
export class Desk implements KeyDesk {
  readonly #context: KeyAdminContext;
  readonly #grantor: Grantor;
  readonly #ledger: Ledger;

  constructor(context: KeyAdminContext, grantor: Grantor, ledger: Ledger) {
    this.#context = context;
    this.#grantor = grantor;
    this.#ledger = ledger;
  }

  createKey(wish: KeyWish): KeyAnswer<IssuedKey> {
    return this.#counted('create', async () => {
      const { clock, known, isPersistent } = this.#context;
      if (!isPersistent)
        return problem(
          'conflict',
          'the data directory is declared not persistent: put the key into a manifest (auth create-key --manifest prints one)',
        );
      const problems = wishProblems(wish, known(), clock.nowMs());
      if (problems.length > 0) return problem('invalid', ...problems);
      const forbidden = grantProblems(this.#grantor, wish);
      if (forbidden.length > 0) return problem('forbidden', ...forbidden);
      const { entry, text } = await this.#fresh({
        name: wish.name,
        owner: wish.owner ?? null,
        spaces: [...wish.spaces],
        permissions: [...new Set(wish.permissions)],
        roles: [...new Set(wish.roles ?? [])],
        tier: wish.tier ?? null,
        expiresAtMs: expiryOf(wish, clock.nowMs()),
      });
      await this.#record('created', entry, {});
      this.#apply('create', entry.id, () => {
        this.#context.store.insertKey(entry);
      });
      this.#context.ring.put(entry);
      return ok(issuedOf(entry, text));
    });
  }

  listKeys({ includeExpired = false, includeRevoked = false }: ListFilter): KeyAnswer<readonly KeyView[]> {
    const nowMs = this.#context.clock.nowMs();
    this.#context.audit.note(this.#event('listed', {}));
    const views = this.#context.ring
      .all()
      .map((entry) => viewOf(entry, nowMs))
      .filter(({ state }) =>
        state === 'revoked' ? includeRevoked : state === 'expired' || state === 'rotated' ? includeExpired : true,
      );
    return Promise.resolve(ok(views));
  }

  inventory(): KeyAnswer<KeyInventory> {
    this.#context.audit.note(this.#event('listed', {}));
    return Promise.resolve(ok(inventoryOf(this.#context)));
  }

  rotateKey(id: string, wish: RotateWish): KeyAnswer<RotatedKey> {
    return this.#counted('rotate', async () => {
      const { ring, store, clock } = this.#context;
      const old = ring.find(id);
      if (old === undefined) return this.#unknown(id);
      const refused = rotationProblem(old, wish, clock.nowMs());
      if (refused !== null) return no(refused);
      const forbidden = grantProblems(this.#grantor, old); // the new secret goes to whoever rotates
      if (forbidden.length > 0) return problem('forbidden', ...forbidden);
      const nowMs = clock.nowMs();
      const lifeMs = old.expiresAtMs === null ? null : old.expiresAtMs - (old.createdAtMs ?? nowMs);
      const { entry, text } = await this.#fresh({ ...old, expiresAtMs: lifeMs === null ? null : nowMs + lifeMs });
      const rotation = { replacedBy: entry.id, graceUntilMs: 'force' in wish ? nowMs : nowMs + wish.graceMs };
      const graceUntil = new Date(rotation.graceUntilMs).toISOString();
      await this.#record('rotated', entry, { replaces: id, grace_until: graceUntil });
      this.#apply('rotate', id, () => {
        store.rotateKey(entry, id, rotation);
      });
      ring.put(entry);
      ring.put({ ...old, rotation });
      return ok({ ...issuedOf(entry, text), replaces: id, grace_until: graceUntil });
    });
  }

  revokeKey(id: string, reason: string): KeyAnswer<RevokedKey> {
    return this.#counted('revoke', async () => {
      const { ring, store, clock } = this.#context;
      const entry = ring.find(id);
      if (entry === undefined) return this.#unknown(id);
      if (reason.length > reasonMax || /\p{C}/u.test(reason))
        return problem('invalid', `reason: must be at most ${String(reasonMax)} characters without control characters`);
      const already = entry.revoked !== null;
      const revoked = entry.revoked ?? { atMs: clock.nowMs(), reason: reason === '' ? 'no reason given' : reason };
      if (!already || this.#ledger.unsaved.has(id)) {
        const unrecorded = await this.#record('revoked', entry, { reason: revoked.reason }).catch(asLost);
        // First the running process: a log or a store that is broken must not keep a stolen key alive. The next try records and saves it.
        ring.revoke(id, revoked);
        this.#ledger.unsaved.add(id);
        this.#apply('revoke', id, () => {
          store.revokeKey(id, revoked);
        });
        if (unrecorded !== undefined) throw unrecorded;
        this.#ledger.unsaved.delete(id);
      }
      return ok({
        id,
        revoked_at: new Date(revoked.atMs).toISOString(),
        reason: revoked.reason,
        reach: reachOf(entry, this.#context),
        already,
      });
    });
  }

  async checkKey(text: string): KeyAnswer<CheckedKey> {
    const { ring, store, clock, prefixes } = this.#context;
    const parsed = keyIdForm.test(text) ? null : parseKey(text, prefixes);
    if (parsed === null && !keyIdForm.test(text))
      return problem(
        'invalid',
        'key: must be an id (16 characters of a-z and 0-9) or a whole key; its form or checksum is wrong',
      );
    const id = parsed?.id ?? text;
    const entry = ring.find(id);
    if (entry === undefined) return this.#unknown(id);
    this.#context.audit.note(this.#event('checked', { key_id: id }));
    const matches = parsed === null ? null : await matchesHash(entry.hash, text);
    const uses = store.uses(id);
    return ok({
      ...viewOf(entry, clock.nowMs()),
      secret_matches: matches,
      uses: {
        total: uses?.total ?? 0,
        deprecated: uses?.deprecated ?? 0,
        last_used_at: isoTime(uses?.lastUsedAtMs ?? null),
        by_day: store.usesByDay(id),
      },
    });
  }

  #fresh(facts: KeyFacts): ReturnType<typeof freshKey> {
    return freshKey(facts, this.#context.prefixes[0] ?? 'memgate', this.#context.clock.nowMs());
  }

  #event(what: KeyEventName, fields: KeyEventFields): AuditEvent {
    return keyEvent(what, { actor: this.#grantor.actor, atMs: this.#context.clock.nowMs() }, fields);
  }

  #record(what: 'created' | 'rotated' | 'revoked', entry: KeyEntry, more: KeyEventFields): Promise<void> {
    return this.#context.audit.commit(this.#event(what, { ...recordedFacts(entry), ...more }));
  }

  /** The record already says that it was done: if the store then fails, the record must say that too. */
  #apply(operation: Operation, id: string, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.#context.audit.note(this.#event('failed', { operation, key_id: id }));
      throw thrown;
    }
  }

  async #counted<T>(operation: Operation, work: () => KeyAnswer<T>): KeyAnswer<T> {
    let result: 'success' | 'failure' = 'failure';
    try {
      const answer = await this.#ledger.inTurn(work);
      if (answer.ok) result = 'success';
      return answer;
    } finally {
      this.#context.meter.credentialOperation(operation, result);
    }
  }

  #unknown(id: string): { readonly ok: false; readonly why: KeyProblem } {
    return problem('not-found', `there is no key ${JSON.stringify(capped(id, 64))}`);
  }
}
