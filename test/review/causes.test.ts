import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { causeOf } from '../../src/review/causes.js';
import { askedOf } from '../../src/review/facts.js';
import { reasonRules } from '../../src/review/rules.js';
import { loaded, shipped } from '../authorize/fixtures/stage.js';

const policy = await loaded(shipped);
const page = readFileSync(fileURLToPath(new URL('../../docs/reference/policy.md', import.meta.url)), 'utf8');
const section = page.slice(page.indexOf('## Reasons of the shipped policy'), page.indexOf('## Permissions'));
const documented = [...section.matchAll(/^\| `([a-z]+\.[a-z-]+)` +\|/gm)].map(([, code]) => code ?? '').sort();

t.test('every documented reason leads to the rule that gives it, in the bundle as in the sources', async (t) => {
  const rules = reasonRules(policy.rego);
  t.ok(documented.length >= 12, documented.join(', '));
  t.strictSame([...rules.keys()].sort(), documented, 'the policy gives the documented reasons and no others');
  const sources = fileURLToPath(new URL('../../policies/bundle/', import.meta.url));
  for (const [code, found] of rules) {
    t.equal(found.length, 1, `${code} has one rule`);
    for (const { file, rule, description, text } of found) {
      t.match(rule, /^data\.memgate\.[a-z]+\.reasons$/, `${code}: ${rule}`);
      t.ok(description, `${code} is described`);
      t.match(text, `"${code}"`, `${code}: ${text}`);
      const head = text.split('\n')[0] ?? '';
      t.ok(readFileSync(join(sources, file), 'utf8').includes(head), `${file} of the sources holds: ${head}`);
    }
  }
});

t.test('reasonRules() reads rules in any usual form', async (t) => {
  const rego = `# METADATA
# description: A package.
package a.b

import data.x

# METADATA
# description: Why not.
# scope: document
reasons contains "one.first" if not x

# A note about the "two.second" case.
reasons contains "two.second" if {
	y == "a.text"
	not z
}

reasons contains code if {
	some code in {"three.third", "four.fourth"}
	w
} else := {
	"five.fifth"
}

default other := "six.sixth"
`;
  const rules = reasonRules(new Map([['a/b/b.rego', rego]]));
  t.strictSame([...rules.keys()].sort(), [
    'a.text',
    'five.fifth',
    'four.fourth',
    'one.first',
    'six.sixth',
    'three.third',
    'two.second',
  ]);
  t.match(rules.get('one.first'), [
    { rule: 'data.a.b.reasons', description: 'Why not.', text: 'reasons contains "one.first" if not x' },
  ]);
  t.match(rules.get('two.second'), [
    { description: 'Why not.', text: /^reasons contains "two\.second" if \{\n.*\n.*\n\}$/ },
  ]);
  t.match(rules.get('six.sixth'), [{ rule: 'data.a.b.other', description: null }]);
});

const input = (over: Readonly<Record<string, object>> = {}): unknown => ({
  now: 1_790_000_000,
  switches: { readonly: true },
  request: { action: 'memory:write', permission: 'MemoryWrite', tool: 'write_note', ...over['request'] },
  spaces: { all: false, ids: ['alpha', 'beta'], unknown: ['beta'], ...over['spaces'] },
  subject: {
    id: 'k1',
    roles: ['reader'],
    permissions: ['MemoryDelete'],
    spaces: ['alpha'],
    tier: 'gold',
    expires_at: 1_789_000_000,
    ...over['subject'],
  },
});
const data = {
  ...policy.data,
  tools: {
    roles: { writer: { read_graph: true } },
    subjects: { k1: { read_graph: true } },
    blocked: { write_note: true },
    arguments: { write_note: { directory: { notes: true } } },
  },
} as typeof policy.data;

const cases: Readonly<Record<string, { because: RegExp; needs: RegExp; entries: readonly string[] }>> = {
  'permission.missing': {
    because: /MemoryWrite.*caller \(MemoryDelete\).*reader \(MemoryRead\).*SystemHealth/,
    needs: /permission MemoryWrite.*the role writer/,
    entries: ['roles.reader.permissions', 'defaults.permissions'],
  },
  'space.forbidden': { because: /reaches beta,.*are alpha/, needs: /beta among its spaces/, entries: [] },
  'space.all-required': { because: /every space.*alpha/, needs: /\*/, entries: [] },
  'space.unknown': { because: /beta is named by no/, needs: /beta in spaces\.known/, entries: [] },
  'switch.readonly': {
    because: /switch is on.*memory:write/,
    needs: /switches\.readonly: false/,
    entries: ['changes.actions.memory:write', 'changes.permissions.MemoryWrite'],
  },
  'subject.expired': { because: /2026-09-10T/, needs: /credential/, entries: [] },
  'subject.anonymous': { because: /no verified caller/, needs: /credential/, entries: [] },
  'tier.unknown': {
    because: /tier gold/,
    needs: /the tier enterprise.*the tier pro/,
    entries: ['defaults.tier', 'tiers'],
  },
  'tool.forbidden': {
    because: /write_note is not on it/,
    needs: /tools\.subjects\.k1/,
    entries: ['tools.subjects.k1'],
  },
  'tool.blocked': { because: /nobody may use write_note/, needs: /^$/, entries: ['tools.blocked.write_note'] },
  'tool.argument': {
    because: /argument of write_note/,
    needs: /directory as one of notes/,
    entries: ['tools.arguments.write_note'],
  },
};

for (const [code, { because, needs, entries }] of Object.entries(cases)) {
  t.test(`causeOf() explains ${code} with facts and data`, async (t) => {
    const cause = causeOf(code, askedOf(input()), data);
    t.match(cause?.because, because);
    t.match(cause?.needs.join('; '), needs);
    t.strictSame(Object.keys(cause?.entries ?? {}).sort(), [...entries].sort());
  });
}

t.test('causeOf() has words for every documented reason but a malformed input', async (t) => {
  t.strictSame([...Object.keys(cases), 'input.malformed'].sort(), documented);
});

t.test('causeOf() says that a list of tools takes a role away', async (t) => {
  const asked = askedOf(input({ subject: { roles: ['writer'] } }));
  t.match(causeOf('permission.missing', asked, data), {
    because: 'writer would hold MemoryWrite, and its list of tools does not hold write_note',
    needs: ['write_note in tools.roles.writer of the policy data', 'the permission MemoryWrite of its own'],
    entries: { 'tools.roles.writer': { read_graph: true } },
  });
});

t.test('causeOf() makes nothing up', async (t) => {
  t.equal(causeOf('team.rule', askedOf(input()), data), null, 'a reason of another policy');
  t.equal(causeOf('constructor', askedOf(input()), data), null);
  t.equal(causeOf('permission.missing', null, data), null, 'no input in the record');
  t.equal(causeOf('permission.missing', askedOf(input()), null), null, 'no policy at hand');
  for (const value of [{}, [], 'x', { subject: 7, request: [] }])
    for (const code of Object.keys(cases))
      t.doesNotThrow(() => causeOf(code, askedOf(value), {}), `${code} of ${JSON.stringify(value)}`);
});

t.test('every rule of every shipped file is found', async (t) => {
  const sources = fileURLToPath(new URL('../../policies/bundle/memgate/', import.meta.url));
  const shippedFiles = readdirSync(sources, { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.rego') && !name.endsWith('_test.rego'));
  t.strictSame([...policy.rego.keys()].sort(), shippedFiles.map((name) => `memgate/${name}`).sort());
});
