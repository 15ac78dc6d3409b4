import t from 'tap';
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { cruise, type ICruiseOptions, type ICruiseResult, type IForbiddenRuleType } from 'dependency-cruiser';

interface Plan {
  readonly rooms: Record<string, { does: string; uses: string[] | '*'; fills?: string[] }>;
  readonly doors: Record<string, string>;
}

interface Layers {
  readonly forbidden: IForbiddenRuleType[];
  readonly options: ICruiseOptions;
}

const root = resolve('.');
const { rooms, doors } = (await import(join(root, 'rooms.mjs'))) as Plan;
const { forbidden, options } = ((await import(join(root, '.dependency-cruiser.mjs'))) as { default: Layers }).default;

t.test('rooms.mjs knows every folder of src/, and no other', async (t) => {
  const folders = readdirSync(join(root, 'src')).sort();
  t.strictSame(Object.keys(rooms).sort(), folders);
});

t.test('every room has a face that bears its name, but for the open ones', async (t) => {
  for (const name of Object.keys(rooms)) {
    if (name !== 'base' && name !== 'model') t.ok(existsSync(join(root, 'src', name, `${name}.ts`)), name);
  }
});

t.test('rooms use only rooms that are there, and never each other', async (t) => {
  for (const [name, { uses, fills = [] }] of Object.entries(rooms)) {
    for (const other of [...(uses === '*' ? [] : uses), ...fills]) {
      t.ok(other in rooms, `${name} uses ${other}`);
      t.notOk(rooms[other]?.uses.includes(name), `${name} and ${other} use each other`);
    }
  }
});

t.test('every door leads to files that are there', async (t) => {
  const files = readdirSync(join(root, 'src'), { recursive: true }).map((name) => `src/${String(name)}`);
  for (const [name, door] of Object.entries(doors))
    t.ok(
      files.some((file) => new RegExp(door).test(file)),
      name,
    );
});

const violations = async (directory: string): Promise<string[]> => {
  const { output } = await cruise(['src'], { ...options, ruleSet: { forbidden }, validate: true, baseDir: directory });
  const { summary } = (typeof output === 'string' ? JSON.parse(output) : output) as ICruiseResult;
  return [...new Set(summary.violations.map(({ rule }) => rule.name))].sort();
};

const wrongs = [
  {
    name: 'a stage that uses a stage',
    rule: 'gate-neighbours',
    files: { gate: { 'gate.ts': "import '../limit/limit.js';" }, limit: { 'limit.ts': '' } },
  },
  {
    name: 'a type of a stage in a stage',
    rule: 'gate-neighbours',
    files: {
      gate: { 'gate.ts': "import type { A } from '../limit/limit.js'; export type B = A;" },
      limit: { 'limit.ts': 'export type A = 1;' },
    },
  },
  {
    name: 'the back door of a room',
    rule: 'front-door',
    files: { app: { 'app.ts': "import '../gate/inner.js';" }, gate: { 'inner.ts': '' } },
  },
  {
    name: 'a cycle',
    rule: 'no-cycle',
    files: { gate: { 'gate.ts': "import './a.js';", 'a.ts': "import './gate.js';" } },
  },
  { name: 'an orphan', rule: 'no-orphan', files: { gate: { 'gate.ts': '' } } },
  {
    name: 'a model that uses a stage',
    rule: 'model-neighbours',
    files: { model: { 'a.ts': "import '../gate/gate.js';" }, gate: { 'gate.ts': '' } },
  },
  { name: 'a package beside its door', rule: 'door-yaml', files: { gate: { 'gate.ts': "import 'yaml';" } } },
  {
    name: 'a package with a scope beside its door',
    rule: 'door-opa-wasm',
    files: { gate: { 'gate.ts': "import '@open-policy-agent/opa-wasm';" } },
  },
];
for (const { name, rule, files } of wrongs) {
  t.test(`the layers refuse ${name}`, async (t) => {
    const stub = (): Record<string, string> => ({ 'package.json': '{"main":"index.js"}', 'index.js': '' });
    const directory = t.testdir({
      'package.json': '{"dependencies":{"yaml":"1","@open-policy-agent/opa-wasm":"1"}}',
      'tsconfig.json': '{"compilerOptions":{"module":"nodenext","moduleResolution":"nodenext"}}',
      src: files,
      node_modules: { yaml: stub(), '@open-policy-agent': { 'opa-wasm': stub() } },
    });
    t.ok((await violations(directory)).includes(rule), (await violations(directory)).join(', '));
  });
}
