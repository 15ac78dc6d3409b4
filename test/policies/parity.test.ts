import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { parseDecision } from '../../src/authorize/parse-decision.js';
import type { Decision } from '../../src/model/decision.js';
import { permissions } from '../../src/model/permissions.js';
import { loaded, shipped } from '../authorize/fixtures/stage.js';

/*
 * One question, two evaluators: Go's own, which the security team's tests run in, and our WebAssembly, which decides. They share the Rego and
 * nothing else. Data of this test give every rule something to look up.
 */

const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? 20_261_121);
const runs = Number(process.env['MEMGATE_TEST_RUNS'] ?? 2_400);
t.comment(`fast-check seed ${String(seed)}, ${String(runs)} inputs`);

const opa = fileURLToPath(new URL('../../.cache/bin/opa', import.meta.url));
const bundle = fileURLToPath(new URL('../../policies/bundle', import.meta.url));

const tools = {
  roles: { reader: { read_graph: true, 'resources/read': true }, auditor: {} },
  subjects: { k2: { read_graph: true, 'memory:read': true } },
  blocked: { delete_entities: true },
  arguments: { write_note: { directory: { notes: true, '': true } } },
};

const texts = [
  '',
  'alpha',
  'beta',
  '*',
  'Alpha',
  'ünïcödé',
  '\u2028',
  '😀',
  '__proto__',
  'constructor',
  '0',
  'null',
  'a'.repeat(300),
];
const text = fc.constantFrom(...texts);
const numbers = fc.constantFrom(
  0,
  -0,
  1,
  -1,
  0.1,
  1e3,
  1.5e300,
  5e-324,
  2 ** 53,
  2 ** 53 + 2,
  1_790_000_000,
  1_789_999_999.5,
);
/** Anything that JSON can hold, of the kinds that a rule may trip over. */
const { hostile } = fc.letrec<{ hostile: unknown }>((tie) => ({
  hostile: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(null, true, false, '*', 'MemoryRead', 'alpha', 'api_key'),
    numbers,
    text,
    fc.array(tie('hostile'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('permissions', 'all', 'ids', 'a', '', 'MemoryRead', '__proto_'), tie('hostile'), {
      maxKeys: 3,
    }),
  ),
}));

/** Mostly the right kind; anything at all often enough to meet every field. */
const mostly = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 40, arbitrary: arbitrary }, { weight: 1, arbitrary: hostile });
const list = (...values: readonly string[]): fc.Arbitrary<unknown> =>
  mostly(fc.uniqueArray(fc.constantFrom(...values), { maxLength: 4 }));

const permission = fc.constantFrom<string>(...permissions, 'Unheard', 'Admin', '');
const action = fc.constantFrom(
  ...[
    'memory:read',
    'memory:write',
    'memory:delete',
    'graph:write',
    'space:create',
    'space:delete',
    'system:shutdown',
    'config:reload',
    'tools/call:x',
    '',
  ],
);
const spaces = ['alpha', 'beta', 'gamma', '*', 'Alpha', '', 'ünïcödé', '😀'];

const request = fc.record({
  id: mostly(text),
  method: mostly(fc.constantFrom('GET', 'POST')),
  route: mostly(text),
  action: mostly(action),
  permission: mostly(permission),
  class: mostly(fc.constantFrom('content', 'metadata', 'metrics')),
  params: mostly(
    fc.constantFrom(
      {},
      { 'mcp:listing': 'yes' },
      { 'argument:directory': 'notes' },
      { 'argument:directory': 'private' },
    ),
  ),
  tool: mostly(fc.constantFrom(null, null, 'read_graph', 'write_note', 'delete_entities', 'other', 'constructor')),
  bytes: mostly(fc.constantFrom(null, 0, 312)),
  headers: mostly(fc.constant({})),
});

const input = fc.record(
  {
    now: mostly(fc.constantFrom(1_790_000_000, 1_790_000_000, 0, 4e9)),
    switches: mostly(fc.record({ readonly: mostly(fc.boolean()) })),
    request: mostly(request),
    spaces: mostly(
      fc.record({
        all: mostly(fc.constantFrom(false, false, false, true)),
        ids: list(...spaces),
        unknown: fc.oneof(
          { weight: 4, arbitrary: fc.constant([] as unknown) },
          { weight: 1, arbitrary: list(...spaces) },
        ),
        explicit: mostly(fc.boolean()),
      }),
    ),
    subject: mostly(
      fc.record({
        kind: mostly(fc.constantFrom('api_key', 'api_key', 'static_token', 'anonymous')),
        id: mostly(fc.constantFrom('k1', 'k1', 'k2', '')),
        owner: mostly(fc.constantFrom(null, 'team')),
        roles: list(
          'reader',
          'writer',
          'admin',
          'operator',
          'space-manager',
          'auditor',
          'nobody',
          'unheard-of',
          'constructor',
        ),
        permissions: list(...permissions),
        spaces: list(...spaces, '*'),
        tier: mostly(fc.constantFrom(null, 'free', 'premium', 'pro', 'enterprise', 'unlimited', 'gold', 'constructor')),
        expires_at: mostly(fc.constantFrom(null, null, 1_790_600_000, 1_790_000_000, 1_789_999_999, 1e300)),
        deprecated: mostly(fc.boolean()),
        claims: mostly(fc.dictionary(text, hostile, { maxKeys: 3 })),
      }),
    ),
    client: mostly(fc.constant({ address: '192.0.2.1', networks: [] })),
  },
  { noNullPrototype: true },
);

/** What a gateway sends all day: a caller with a right that fits, as often as not. */
const usual = fc
  .record({
    permission: fc.constantFrom(...permissions),
    action,
    held: fc.boolean(),
    roles: fc.uniqueArray(fc.constantFrom('reader', 'writer', 'admin', 'operator', 'auditor'), { maxLength: 2 }),
    ids: fc.uniqueArray(fc.constantFrom('alpha', 'beta', 'ünïcödé'), { maxLength: 2 }),
    own: fc.constantFrom(['alpha'], ['alpha', 'beta', 'ünïcödé'], ['*']),
    tier: fc.constantFrom(null, 'free', 'pro', 'enterprise', 'unlimited'),
    readonly: fc.boolean(),
    tool: fc.constantFrom(null, null, 'read_graph', 'write_note'),
  })
  .map(({ permission: needed, action: asked, held, roles, ids, own, tier, readonly, tool }): unknown => ({
    now: 1_790_000_000,
    switches: { readonly },
    request: {
      ...{ id: 'r', method: 'GET', route: 'r', action: asked, permission: needed, class: 'content' },
      ...{ params: { 'argument:directory': 'notes' }, tool, bytes: null, headers: {} },
    },
    spaces: { all: false, ids, unknown: [], explicit: true },
    subject: {
      ...{ kind: 'api_key', id: 'k1', owner: null, roles, permissions: held ? [needed] : [], spaces: own, tier },
      ...{ expires_at: null, deprecated: false, claims: {} },
    },
    client: { address: '192.0.2.1', networks: [] },
  }));
const anything = fc.oneof(
  { weight: 40, arbitrary: input },
  { weight: 20, arbitrary: usual },
  { weight: 1, arbitrary: hostile },
);

/** Go's answers to all inputs, in one process. */
async function goDecisions(directory: string, inputs: readonly unknown[]): Promise<readonly unknown[]> {
  const file = join(directory, 'inputs.json');
  writeFileSync(file, JSON.stringify({ inputs }));
  // A list keeps its order; an input without a decision would be missing, and is counted.
  const query =
    'answers := [decision | some each in input.inputs; decision := data.memgate.authz.decision with input as each with data.tools as ' +
    `${JSON.stringify(tools)}]`;
  const run = promisify(execFile);
  const { stdout } = await run(opa, ['eval', '--data', bundle, '--input', file, '--format', 'json', query], {
    maxBuffer: 256 * 1_048_576,
    timeout: 120_000,
  });
  const { result } = JSON.parse(stdout) as { result: { bindings: { answers: unknown[] } }[] };
  return result[0]?.bindings.answers ?? [];
}

/** A permission that is no word, which no route has, makes a decision that nobody accepts: from whichever evaluator it comes. */
function read(decide: () => Decision): Decision | string {
  try {
    return decide();
  } catch (thrown) {
    return thrown instanceof Error ? thrown.message : 'unknown';
  }
}

t.test(
  'Go and WebAssembly decide alike',
  { skip: existsSync(opa) ? false : 'there is no .cache/bin/opa' },
  async (t) => {
    const inputs = fc.sample(anything, { seed, numRuns: runs });
    t.ok(inputs.length >= 2_000, `${String(inputs.length)} inputs`);
    const dir = t.testdir({ data: { 'tools.yaml': JSON.stringify(tools) } });
    const policy = await loaded(shipped, {}, join(dir, 'data'));
    const go = await goDecisions(dir, inputs);
    t.equal(go.length, inputs.length, 'Go has a decision for each');
    const seen = { allowed: 0, denied: 0, failed: 0, reasons: new Set<string>() };
    const different: unknown[] = [];
    for (const [index, each] of inputs.entries()) {
      const ours = read(() => policy.evaluate(JSON.stringify(each)));
      const theirs = read(() => parseDecision([{ result: go[index] }]));
      if (JSON.stringify(ours) !== JSON.stringify(theirs) && different.length < 3)
        different.push({ each, ours, theirs });
      if (typeof ours === 'string') seen.failed += 1;
      else {
        seen[ours.allow ? 'allowed' : 'denied'] += 1;
        for (const reason of ours.reasons) seen.reasons.add(reason);
      }
    }
    t.strictSame(different, [], 'the first that differ');
    t.comment(
      `${String(seen.allowed)} allowed, ${String(seen.denied)} denied, ${String(seen.failed)} refused as no decision, for ${[...seen.reasons].sort().join(', ')}`,
    );
    // A test of nothing but refusals, or of one rule, would agree with many a policy.
    t.ok(seen.allowed > 100 && seen.denied > 100, 'both answers came');
    t.strictSame([...seen.reasons].sort(), allReasons, 'every reason of the shipped policy came');
  },
);

const allReasons = [
  'input.malformed',
  'permission.missing',
  'space.all-required',
  'space.forbidden',
  'space.unknown',
  'subject.anonymous',
  'subject.expired',
  'switch.readonly',
  'tier.unknown',
  'tool.argument',
  'tool.blocked',
  'tool.forbidden',
];
