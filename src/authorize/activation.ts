import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../base/clock.js';
import { messageOf } from '../base/log.js';
import { inputBytesMax } from './input.js';
import type { Engine } from './instances.js';
import { readDecision, undefinedDecision } from './parse-decision.js';

/** Request id of the inputs that a policy is tried on before it is used. */
export const activationId = 'activation';

const tries = 5;
const timeoutMs = 250;
const timeoutsMax = 2;
const warmUps = 200;
const warmUpSlice = 20;

const names = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${index.toString(36)}`);

type Section = Readonly<Record<string, unknown>>;

function sample(request: Section = {}, spaces: Section = {}, subject: Section = {}): Record<string, unknown> {
  return {
    now: 1_790_000_000,
    switches: { readonly: false },
    request: {
      id: activationId,
      method: 'POST',
      route: 'activation',
      action: 'memory:read',
      permission: 'MemoryRead',
      class: 'content',
      params: {},
      tool: null,
      bytes: null,
      headers: {},
      ...request,
    },
    spaces: { all: false, ids: ['alpha'], unknown: [], explicit: true, ...spaces },
    subject: {
      kind: 'api_key',
      id: activationId,
      owner: null,
      roles: ['reader'],
      permissions: ['MemoryRead'],
      spaces: ['alpha'],
      tier: null,
      expires_at: null,
      deprecated: false,
      claims: {},
      ...subject,
    },
    client: { address: '192.0.2.1', networks: [] },
  };
}

// As large as the gateway lets an input become, and not a byte more.
function filled(input: Record<string, unknown>): string {
  const text = (pad: number): string =>
    JSON.stringify({ ...input, client: { address: 'x'.repeat(pad), networks: [] } });
  const short = text(0).length;
  if (short > inputBytesMax) throw new Error('an activation input is larger than an input may be');
  return text(inputBytesMax - short);
}

/** Inputs that no gateway would send, and the largest ones that it would. */
export function hostileInputs(): readonly string[] {
  const deep = { a: { a: { a: { a: { a: { a: { a: 'x' } } } } } } };
  const wrongTypes = {
    now: 'x',
    switches: [],
    request: 1,
    spaces: 'alpha',
    subject: { roles: { a: 1 }, spaces: '*', permissions: null },
  };
  return [
    ...['{}', '[]', '"s"', 'null', '0', 'false', JSON.stringify(wrongTypes)],
    JSON.stringify(
      sample({ permission: ['MemoryRead'], action: {} }, { all: null, ids: {} }, { tier: 7, expires_at: 'zzz' }),
    ),
    filled(sample()),
    filled(sample({}, { ids: names(256, 's'), unknown: names(256, 's') }, { spaces: names(512, 's') })),
    filled(sample({}, {}, { roles: names(64, 'reader'), permissions: names(64, 'Memory') })),
    filled(sample({ params: Object.fromEntries(names(32, 'p').map((name) => [name, 'x'.repeat(400)])) })),
    filled(sample({}, {}, { claims: { list: Array.from({ length: 100 }, () => ({})), deep } })),
  ];
}

/** Tries a policy before it is used: a whole decision for every input, the best of five within the budget. Gives the complaints. */
export async function activate(engine: Engine, budgetMs: number, clock: Clock): Promise<readonly string[]> {
  for (const text of hostileInputs()) {
    const complaint = tried(engine, { text, budgetMs, clock });
    if (complaint !== null)
      return [`activation: ${complaint}, on an input of ${String(text.length)} bytes (${text.slice(0, 40)})`];
    await nextTurn();
  }
  return [];
}

function tried(
  engine: Engine,
  { text, budgetMs, clock }: { text: string; budgetMs: number; clock: Clock },
): string | null {
  let bestMs = Infinity;
  let timeouts = 0;
  for (let round = 0; round < tries && bestMs > budgetMs; round += 1) {
    const startMs = clock.monotonicMs();
    try {
      if (readDecision(engine.evaluateWithin(text, timeoutMs)) === undefinedDecision)
        return 'the decision is undefined';
      bestMs = Math.min(bestMs, clock.monotonicMs() - startMs);
    } catch (error) {
      if (!(messageOf(error).startsWith('timeout') && ++timeouts < timeoutsMax)) return messageOf(error);
    }
  }
  if (bestMs <= budgetMs) return null;
  return `the best of ${String(tries)} evaluations took ${bestMs.toFixed(1)} ms, over the budget of ${String(budgetMs)} ms`;
}

/** Lets the compiler behind WebAssembly see the policy before requests do, without holding the event loop for long. */
export async function warmUp(engine: Engine): Promise<void> {
  const text = JSON.stringify(sample());
  for (let done = 0; done < warmUps; done += 1) {
    engine.evaluate(text);
    if (done % warmUpSlice === 0) await nextTurn();
  }
}
