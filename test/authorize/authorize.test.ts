import t from 'tap';
import { createAuthorize, createPreview, type Policy } from '../../src/authorize/authorize.js';
import { createInputWriter, type Question } from '../../src/authorize/input.js';
import type { Refusal } from '../../src/model/codes.js';
import type { Subject } from '../../src/model/subject.js';
import type { TargetFacts } from '../../src/model/target.js';
import type { Trail } from '../../src/model/trail.js';
import {
  countingMeter,
  facts,
  fakeClock,
  fixture,
  identity,
  loaded,
  request,
  shipped,
  subject,
  target,
  trail,
} from './fixtures/stage.js';

const policy = await loaded(shipped);
const clock = fakeClock();
const { meter } = countingMeter();
const stage = (over: { policy?: Policy; readonly?: boolean } = {}) =>
  createAuthorize({ policy, readonly: false, clock, meter, ...over });
const why = (result: { ok: boolean; why?: unknown }): Partial<Refusal> => (result.ok ? {} : (result.why as Refusal));
const spaces = (over: Partial<TargetFacts['spaces']>): Partial<TargetFacts> => ({
  spaces: { all: false, ids: ['alpha'], unknown: [], explicit: true, ...over },
});

t.test('authorize() grants a permit with the text that was evaluated, and notes both', async (t) => {
  const noted = trail();
  const permit = stage()(identity(), target(), noted);
  if (!permit.ok) throw new Error(permit.why.detail);
  t.equal(permit.value.decision.allow, true);
  t.equal(permit.value.decision.tier, 'pro');
  t.strictSame(
    permit.value.decision.limits.map(({ rate, burst }) => [rate, burst]),
    [[1000, 100]],
  );
  t.equal(noted.decision, permit.value.decision);
  t.equal(noted.input, permit.value.input);
});

t.test('authorize() sends the documented input, every key present', async (t) => {
  const noted = trail();
  const given = { owner: null, expiresAtMs: 1_790_600_000_001, claims: { org: 'x' } };
  stage()(identity(given), target({ params: { id: 'm-1' } }, { method: 'HEAD' }), noted);
  t.strictSame(JSON.parse(noted.input ?? ''), {
    now: 1_790_000_000,
    switches: { readonly: false },
    request: {
      id: '01JTESTTESTTESTTESTTESTTES',
      method: 'GET',
      route: 'memories.remember',
      action: 'memory:write',
      permission: 'MemoryWrite',
      class: 'content',
      params: { id: 'm-1' },
      tool: null,
      bytes: 312,
      headers: {},
    },
    spaces: { all: false, ids: ['alpha'], unknown: [], explicit: true },
    subject: {
      kind: 'api_key',
      id: 'k1',
      owner: null,
      roles: [],
      permissions: ['MemoryWrite'],
      spaces: ['alpha'],
      tier: 'pro',
      expires_at: 1_790_600_001,
      deprecated: false,
      claims: { org: 'x' },
    },
    client: { address: '10.0.3.7', networks: [] },
  });
});

t.test('PE-09 the input holds no credential, no header and no body', async (t) => {
  const noted = trail();
  stage()(identity(), target({ body: Buffer.from('canary-body') }), noted);
  t.notMatch(noted.input, /canary/);
  t.notMatch(noted.input, /engram_key|Bearer/);
  t.match(noted.input, /"bytes":11,/);
});

const denials: Record<
  string,
  {
    subject?: Partial<Subject>;
    facts?: Partial<TargetFacts>;
    readonly?: boolean;
    code: string;
    reasons: string[];
    missing?: string[];
  }
> = {
  'a missing permission by name': {
    subject: { permissions: ['MemoryRead'] },
    code: 'authorize.denied',
    reasons: ['permission.missing'],
    missing: ['MemoryWrite'],
  },
  'a foreign space': { facts: spaces({ ids: ['beta'] }), code: 'authorize.denied', reasons: ['space.forbidden'] },
  'all spaces': { facts: spaces({ all: true, ids: [] }), code: 'authorize.denied', reasons: ['space.all-required'] },
  'an unknown space as such': {
    subject: { spaces: ['*'] },
    facts: spaces({ ids: ['nope'], unknown: ['nope'] }),
    code: 'space.unknown',
    reasons: ['space.unknown'],
  },
  'an unknown space of others like any other of others': {
    facts: spaces({ ids: ['nope'], unknown: ['nope'] }),
    code: 'authorize.denied',
    reasons: ['space.forbidden', 'space.unknown'],
  },
  'writing while read-only': { readonly: true, code: 'authorize.denied', reasons: ['switch.readonly'] },
  anonymous: { subject: { kind: 'anonymous' }, code: 'authorize.denied', reasons: ['subject.anonymous'] },
  'an expired subject': { subject: { expiresAtMs: 1 }, code: 'authorize.denied', reasons: ['subject.expired'] },
  'an unknown tier': { subject: { tier: 'gold' }, code: 'authorize.denied', reasons: ['tier.unknown'] },
};
for (const [name, { code, reasons, missing = [], ...given }] of Object.entries(denials)) {
  t.test(`authorize() and its preview refuse ${name}`, async (t) => {
    const noted = trail();
    const result = stage({ readonly: given.readonly ?? false })(identity(given.subject), target(given.facts), noted);
    t.match(why(result), { code, reasons, missing });
    t.equal(noted.decision?.allow, false);
    t.type(noted.input, 'string');
    const preview = createPreview({ policy, readonly: given.readonly ?? false, clock, meter });
    const early: Trail = { ...trail(), request: request() };
    t.match(preview(identity(given.subject), facts(given.facts), early), { code, reasons, missing });
    t.equal(early.decision?.allow, false, 'a no of the head is noted like any other');
    t.equal(early.stated?.route.id, facts(given.facts).route.id);
    t.type(early.input, 'string');
  });
}

t.test('the preview lets pass what would be allowed', async (t) => {
  const preview = createPreview({ policy, readonly: false, clock, meter });
  const early: Trail = { ...trail(), request: request() };
  t.equal(preview(identity(), facts(), early), null);
  t.equal(early.stated, null, 'and notes nothing: it is asked again');
  t.equal(preview(identity({ owner: 'x'.repeat(3_000) }), facts(), early)?.code, 'authorize.too-large');
});

const tooLarge: Record<string, { subject?: Partial<Subject>; facts?: Partial<TargetFacts> }> = {
  'long path parameters': {
    facts: { params: Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`p${String(n)}`, 'x'.repeat(2_000)])) },
  },
  'one text over 2 KiB': { facts: { params: { id: 'x'.repeat(2_049) } } },
  'many parameters': {
    facts: { params: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`p${String(n)}`, ''])) },
  },
  'many spaces': { facts: spaces({ ids: Array.from({ length: 257 }, (_, n) => `s${String(n)}`) }) },
  'many own spaces': { subject: { spaces: Array.from({ length: 513 }, (_, n) => `s${String(n)}`) } },
  'many roles': { subject: { roles: Array.from({ length: 65 }, () => 'reader') } },
  'deep claims': { subject: { claims: { a: { a: { a: { a: { a: { a: { a: { a: { a: 1 } } } } } } } } } } },
  'many claims': { subject: { claims: { list: Array.from({ length: 200 }, () => 0) } } },
  'a lone surrogate in a parameter': { facts: { params: { id: 'a\ud800' } } },
  'a lone surrogate in a claim': { subject: { claims: { name: '\udfff' } } },
  'a lone surrogate behind backslashes': { subject: { owner: '\\\\\ud800x' } },
};
for (const [name, given] of Object.entries(tooLarge)) {
  t.test(`PE-06 authorize() refuses ${name} without asking`, async (t) => {
    let asked = 0;
    const counting: Policy = { ...policy, evaluate: (text) => ((asked += 1), policy.evaluate(text)) };
    const noted = trail();
    const result = stage({ policy: counting })(identity(given.subject), target(given.facts), noted);
    t.equal(why(result).code, 'authorize.too-large');
    t.equal(asked, 0);
    t.equal(noted.input, null);
  });
}

t.test('PE-06 the input may have 16384 bytes and not one more', async (t) => {
  const write = createInputWriter();
  const params = (pad: number) =>
    Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`p${String(n)}`, 'x'.repeat(n === 7 ? pad : 2_000)]));
  const asked = (pad: number): Question => ({
    subject: subject(),
    request: request(),
    facts: facts({ params: params(pad) }),
    bytes: null,
    nowMs: 0,
    readonly: false,
  });
  const short = write(asked(0));
  const pad = 16_384 - (short.ok ? short.value.length : 0);
  const whole = write(asked(pad));
  t.equal(whole.ok && Buffer.byteLength(whole.value), 16_384);
  t.equal(whole.ok && policy.evaluate(whole.value).allow, true);
  t.equal(why(write(asked(pad + 1))).code, 'authorize.too-large');
});

t.test('well-formed but odd texts are asked about', async (t) => {
  for (const text of ['\u0000', '\u2028', '😀', '\\ud800', '\\\\ud800', '"']) {
    const noted = trail();
    t.equal(stage()(identity({ owner: text }), target(), noted).ok, true);
    t.equal((JSON.parse(noted.input ?? '') as { subject: { owner: string } }).subject.owner, text);
  }
});

t.test('PE-01 an undefined decision is refused as such', async (t) => {
  const odd = stage({ policy: await loaded(fixture('misbehaving')) });
  const noted = trail();
  t.match(why(odd(identity({ owner: 'undefined' }), target(), noted)), {
    code: 'policy.undefined',
    reasons: ['policy.undefined'],
  });
  t.strictSame(noted.decision?.reasons, ['policy.undefined']);
  t.equal(odd(identity({ owner: 'somebody' }), target(), trail()).ok, true);
});

t.test('PE-02 PE-11 anything but the documented decision is a fault', async (t) => {
  const odd = stage({ policy: await loaded(fixture('misbehaving')) });
  for (const owner of [
    'text',
    'number',
    'list',
    'empty',
    'no-fields',
    'truthy',
    'reasons',
    'limit',
    'mask',
    'header',
    'duty',
  ]) {
    const noted = trail();
    t.throws(() => odd(identity({ owner }), target(), noted), { code: 'policy.failed' }, owner);
    t.type(noted.input, 'string');
    t.equal(noted.decision, null);
  }
  t.equal(odd(identity({ owner: 'somebody' }), target(), trail()).ok, true);
});

t.test(
  'PE-03 a policy that throws: a fault each time, a new instance each time, and the next request is fine',
  async (t) => {
    const counts = countingMeter();
    const moving = fakeClock();
    const odd = stage({ policy: await loaded(fixture('misbehaving'), { meter: counts.meter, clock: moving }) });
    for (let round = 0; round < 100; round += 1) {
      t.throws(() => odd(identity({ owner: 'conflict' }), target(), trail()), {
        code: 'policy.failed',
        message: /conflict/,
      });
      moving.move(100);
    }
    t.strictSame([...new Set(counts.errors)], ['conflict']);
    t.equal(counts.replaced(), 100);
    t.equal(odd(identity({ owner: 'somebody' }), target(), trail()).ok, true);
    t.equal(stage()(identity(), target(), trail()).ok, true, 'a good policy works after it');
  },
);
