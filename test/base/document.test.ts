import t from 'tap';
import { execFileSync } from 'node:child_process';
import { chmodSync, symlinkSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { z } from 'zod';
import { parseAside } from '../../src/base/document.js';
import { checkDocument, describeProblem, readYaml, readYamlFile } from '../../src/base/document.js';
import { parseText } from '../../src/base/document-parse.js';

const text = `# a comment
name: engram
list:
  - one
  - deep: {x: 1}
"10": ten
"9": nine
nothing:
`;

t.test('readYaml() gives plain values, their places and the digest', async (t) => {
  const read = await readYaml('a.yaml', text);
  if (!read.ok) return t.fail('must be read', { read });
  const { value, at, digest } = read.value;
  t.strictSame(value, { 9: 'nine', 10: 'ten', name: 'engram', list: ['one', { deep: { x: 1 } }], nothing: null });
  t.equal(digest, createHash('sha256').update(text).digest('hex'));
  t.strictSame(at(['name']), { line: 2, column: 7 });
  t.strictSame(at(['name'], 'name'), { line: 2, column: 1 });
  t.strictSame(at(['list']), { line: 3, column: 1 });
  t.strictSame(at(['list', 0]), { line: 4, column: 5 });
  t.strictSame(at(['list', 1, 'deep', 'x']), { line: 5, column: 15 });
  t.strictSame(at(['10']), { line: 6, column: 7 });
  t.strictSame(at(['9']), { line: 7, column: 6 });
  t.strictSame(at(['list', 1, 'absent']), { line: 5, column: 5 }, 'the nearest thing around it');
  t.strictSame(at([]), { line: 2, column: 1 });
});

// Asking for every place once took the square of their number, which is minutes here, and longer than a test may run.
t.test('at() tells the place of each of 40,000 values', async (t) => {
  const count = 40_000;
  const read = await readYaml('a.yaml', `list:\n${'  - { id: a, deep: [1, 2] }\n'.repeat(count)}`, 4 * 1_048_576);
  if (!read.ok) return t.fail('must be read', { read });
  let wrong = 0;
  for (let index = 0; index < count; index += 1) {
    const { line, column } = read.value.at(['list', index, 'deep', 1]);
    if (line !== index + 2 || column !== 24) wrong += 1;
  }
  t.equal(wrong, 0);
});

const refused = [
  {
    name: 'an alias',
    text: 'a: &x 1\nb: *x\n',
    want: 'f.yaml:2:4: b: is an alias; aliases are not accepted, write the value out',
  },
  { name: 'an alias bomb', text: 'a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]', want: /f\.yaml:2:8: b\.0: is an alias/ },
  { name: 'a tag', text: 'a: !!binary aGk=\n', want: /1:\d+: a: holds a tag/ },
  { name: 'a known tag', text: 'a: !!str 1\n', want: /1:4: a: holds a tag|a: holds a tag/ },
  { name: 'a tag on a mapping', text: 'a: !x {b: 1}\n', want: /holds a tag/ },
  { name: 'a duplicate name', text: 'a: 1\nb: 2\na: 3\n', want: 'f.yaml:3:1: a: stands here a second time' },
  {
    name: 'a prototype name',
    text: 'x:\n  __proto__: {a: 1}\n',
    want: 'f.yaml:2:3: x: the name "__proto__" is not accepted',
  },
  { name: 'a constructor name', text: '{constructor: 1}', want: /the name "constructor" is not accepted/ },
  { name: 'a version directive', text: '%YAML 1.1\n---\na: on\n', want: /holds a directive/ },
  { name: 'a second document', text: 'a: 1\n---\nb: 2\n', want: /f\.yaml:2:\d+: holds a second document/ },
  { name: 'nothing', text: '', want: /is empty/ },
  { name: 'only comments', text: '# nothing\n', want: /is empty/ },
  { name: 'a name that is a list', text: '? [a]\n: 1\n', want: /1:3: / },
  {
    name: 'a number that would lose digits',
    text: 'a: 12345678901234567890\n',
    want: 'f.yaml:1:4: a: is a number that would lose digits; put it between quotes',
  },
  { name: 'not a number', text: 'a: .nan\n', want: /must be a finite number/ },
  { name: 'a broken quote', text: 'a: "x\n', want: /f\.yaml:\d+:\d+: / },
  { name: 'a tab', text: 'a:\n\tb: 1\n', want: /f\.yaml:2:1: .*[Tt]ab/ },
  { name: 'deep flow', text: '['.repeat(60_000), want: /is nested too deeply/ },
  { name: 'deep blocks', text: '- '.repeat(5_000), want: /is nested too deeply/ },
  { name: 'deep names', text: '? '.repeat(5_000), want: /is nested too deeply/ },
  { name: 'a large text', text: `a: ${'x'.repeat(1_048_576)}`, want: 'f.yaml: holds 1048579 bytes, must be ≤ 1048576' },
  {
    name: 'a broken large text',
    text: `a: 1\n${'# x\n'.repeat(10_000)}b: *x\n`,
    want: 'f.yaml:10002:4: b: is an alias; aliases are not accepted, write the value out',
  },
];
for (const { name, text: refusedText, want } of refused) {
  t.test(`readYaml() refuses ${name}`, async (t) => {
    const read = await readYaml('f.yaml', refusedText);
    if (read.ok) return t.fail('must be refused', { value: read.value.value });
    t.match(read.why.map(describeProblem)[0], want);
    t.ok(read.why.length <= 100);
  });
}

t.test('readYaml() tells every problem at once, up to a hundred', async (t) => {
  t.match(await readYaml('f', 'a: *x\nb: *y\n'), { ok: false, why: [{ line: 1 }, { line: 2 }] });
  const read = await readYaml('f', 'a: *x\n'.repeat(300));
  t.equal(read.ok ? 0 : read.why.length, 100);
});

t.test('readYaml() keeps the event loop free while it parses a large text', async (t) => {
  const large = Array.from({ length: 8_000 }, (_, i) => `key${String(i)}: {owner: team, spaces: [alpha, beta]}`).join(
    '\n',
  );
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 5);
  const read = await readYaml('large.yaml', large);
  clearInterval(timer);
  t.match(read, { ok: true });
  t.ok(turns >= 5, `${String(turns)} turns`);
  if (read.ok) t.strictSame(read.value.at(['key7999', 'owner']), { line: 8_000, column: 18 });
});

t.test('parseAside() keeps every entry of a long list, and its place', async (t) => {
  const entry = (n: number): string =>
    `  - { id: k${String(n)}, tags: [one, two] }\n  -\n    - nested\n    - { n: ${String(n)} }\n`;
  const text = `keys:\n${Array.from({ length: 2_000 }, (_, n) => entry(n)).join('')}last: true\n`;
  const parsed = await parseAside(text, 20_000);
  const value = parsed.ok ? (JSON.parse(parsed.json) as { keys: unknown[]; last: boolean }) : null;
  t.equal(value?.keys.length, 4_000);
  t.strictSame(value?.keys.slice(-2), [{ id: 'k1999', tags: ['one', 'two'] }, ['nested', { n: 1999 }]]);
  t.equal(value?.last, true);
  t.equal(parsed.ok && parsed.places.at(-4), 8_002, 'the line of the last name');
});
t.test('parseAside() ends a thread that takes too long', async (t) => {
  const parsed = await parseAside('- a\n'.repeat(250_000), 30);
  t.strictSame(parsed, {
    ok: false,
    problems: [{ line: 0, column: 0, path: '', message: 'took longer than 30 ms to parse' }],
  });
});

t.test('readYaml() agrees with the writer of the library on any plain value', async () => {
  const name = fc.string({ maxLength: 8 }).filter((word) => !['__proto__', 'constructor', 'prototype'].includes(word));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie('value'), { maxLength: 4 }),
      tie('mapping'),
    ),
    mapping: fc.dictionary(name, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  }));
  fc.assert(
    fc.property(fc.record({ root: value }, { noNullPrototype: true }), (root) => {
      const parsed = parseText(stringify(root, { aliasDuplicateObjects: false }));
      return isDeepStrictEqual(parsed.ok ? JSON.parse(parsed.json) : parsed, root);
    }),
    { numRuns: 200 },
  );
});

t.test('parseText() answers any text with a value or a problem', async () => {
  const piece = fc.constantFrom(
    'a',
    ': ',
    '- ',
    '\n',
    '  ',
    '{',
    '}',
    '[',
    ']',
    ',',
    '"',
    "'",
    '#',
    '&x ',
    '*x',
    '!t ',
    '|\n',
    '>',
    '? ',
    '%',
    '---\n',
    '\t',
    '~',
    '__proto__',
    'é',
    '\u2028',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const parsed = parseText(pieces.join(''));
      return parsed.ok || (parsed.problems.length > 0 && parsed.problems.every(({ message }) => message !== ''));
    }),
    { numRuns: 2_000 },
  );
});

t.test('readYamlFile() reads a file, also through a link', async (t) => {
  const directory = t.testdir({ 'a.yaml': 'a: 1\n', 'bom.yaml': '\ufeffa: 1\n' });
  symlinkSync('a.yaml', join(directory, 'link.yaml'));
  for (const name of ['a.yaml', 'link.yaml', 'bom.yaml']) {
    t.match(await readYamlFile(join(directory, name)), { ok: true, value: { value: { a: 1 } } }, name);
  }
});

t.test('readYamlFile() names what is wrong with a file', async (t) => {
  const directory = t.testdir({
    folder: {},
    empty: '',
    latin: Buffer.from([0x61, 0x3a, 0x20, 0xe9]),
    big: 'a: 1\n'.repeat(9),
    shut: 'a: 1',
  });
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  chmodSync(join(directory, 'shut'), 0);
  const wants = {
    absent: /does not exist/,
    'empty/x': /does not exist: a part of its path is not a directory/,
    folder: /is not a regular file/,
    pipe: /is not a regular file/,
    empty: /is empty/,
    latin: /is not UTF-8 text/,
    big: /holds more than 20 bytes/,
    ...(process.getuid?.() === 0 ? {} : { shut: /permission denied/ }),
  };
  for (const [name, message] of Object.entries(wants)) {
    const file = join(directory, name);
    t.match(await readYamlFile(file, { maxBytes: 20 }), { ok: false, why: [{ file, line: 0, message }] }, name);
  }
});

const schema = z.strictObject({
  port: z.int().min(1).max(10),
  name: z.string().min(3).optional(),
  mode: z.enum(['on', 'off']).default('on'),
  one: z.union([z.enum(['a', 'b']), z.array(z.enum(['a', 'b'])).min(1)]).optional(),
  nested: z.strictObject({ max_bytes: z.int().default(1), min_bytes: z.int().default(1) }).prefault({}),
  list: z.array(z.strictObject({ id: z.string() })).default([]),
  any: z.record(z.string().regex(/^[a-z]+$/, 'must be lower-case'), z.int()).default({}),
  token: z.string().max(4).optional(),
});
const checks = [
  { name: 'a number out of bounds', text: 'port: 0', want: ['f:1:7: port: is 0, must be ≥ 1'] },
  { name: 'a fraction', text: 'port: 1.5', want: ['f:1:7: port: is 1.5, must be a whole number'] },
  { name: 'a missing value', text: 'mode: on', want: ['f:1:1: port: is missing; it must be a number'] },
  { name: 'a wrong type', text: 'port: "1"', want: ['f:1:7: port: is "1", must be a number'] },
  {
    name: 'an unknown name with a near one',
    text: 'port: 1\nnested:\n  max-byte: 3',
    want: ['f:3:3: nested.max-byte: unknown name; did you mean "max_bytes"?'],
  },
  {
    name: 'an unknown name with nothing near',
    text: 'port: 1\nnested: {whatever: 3}',
    want: ['f:2:10: nested.whatever: unknown name; known here: max_bytes, min_bytes'],
  },
  { name: 'a wrong choice', text: 'port: 1\nmode: x', want: ['f:2:7: mode: is "x", must be one of on, off'] },
  {
    name: 'a wrong item of a list',
    text: 'port: 1\none: [a, c]',
    want: ['f:2:10: one.1: is "c", must be one of a, b'],
  },
  {
    name: 'neither of two forms',
    text: 'port: 1\none: 3',
    want: ['f:2:6: one: is 3, must be one of a, b, or must be a list'],
  },
  {
    name: 'an item of a list',
    text: 'port: 1\nlist:\n  - {id: a}\n  - {ix: b}',
    want: ['f:4:5: list.1.id: is missing; it must be text', 'f:4:6: list.1.ix: unknown name; did you mean "id"?'],
  },
  {
    name: 'a wrong name of a record',
    text: 'port: 1\nany: {A: 1}',
    want: ['f:2:7: any.A: the name must be lower-case'],
  },
  {
    name: 'a secret without showing it',
    text: 'port: 1\ntoken: abcdefgh',
    want: ['f:2:8: token: must hold ≤ 4 characters'],
  },
  {
    name: 'every problem, in order',
    text: 'name: x\nport: 11\nmode: 3',
    want: [
      'f:1:7: name: is "x", must hold ≥ 3 characters',
      'f:2:7: port: is 11, must be ≤ 10',
      'f:3:7: mode: is 3, must be one of on, off',
    ],
  },
  { name: 'a document that is no mapping', text: '- 1', want: ['f:1:1: must be a mapping (NAME: VALUE)'] },
];
for (const { name, text: checkedText, want } of checks) {
  t.test(`checkDocument() names ${name}`, async (t) => {
    const read = await readYaml('f', checkedText);
    if (!read.ok) return t.fail('must parse', { read });
    const checked = checkDocument(schema, read.value);
    t.strictSame(checked.ok ? [] : checked.why.map(describeProblem), want);
  });
}

t.test('checkDocument() gives the value with its defaults', async (t) => {
  const read = await readYaml('f', 'port: 3');
  t.match(read.ok && checkDocument(schema, read.value), {
    ok: true,
    value: { port: 3, mode: 'on', nested: { max_bytes: 1 } },
  });
});
