import t from 'tap';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fromMarkdown } from 'mdast-util-from-markdown';
import { fields } from '../../src/config/config.js';
import { faults, refusals } from '../../src/model/codes.js';

const root = resolve('.');
const decisions = readdirSync(join(root, 'docs/decisions'))
  .filter((name) => name !== 'README.md')
  .sort();

t.test('decision records are numbered from 0001, each number once, without gaps', async (t) => {
  t.ok(decisions.length > 0);
  for (const [index, name] of decisions.entries()) {
    t.match(name, new RegExp(`^${String(index + 1).padStart(4, '0')}-[a-z0-9-]+\\.md$`));
  }
});

for (const name of decisions) {
  t.test(`${name} has every section, filled`, async (t) => {
    const { children } = fromMarkdown(readFileSync(join(root, 'docs/decisions', name), 'utf8'));
    const text = (node: unknown): string => {
      const { value, children: inner } = node as { value?: string; children?: unknown[] };
      return value ?? (inner ?? []).map(text).join('');
    };
    t.match(text(children[0]), new RegExp(`^${name.slice(0, 4)} .{10,}`), 'the title bears the number');
    const sections = children.flatMap((node, index) =>
      node.type === 'heading' && node.depth === 2 ? [{ title: text(node), next: children[index + 1]?.type }] : [],
    );
    t.strictSame(
      sections.map(({ title }) => title),
      ['Status', 'Context', 'Decision', 'Consequences', 'Enforced by', 'Revisit when'],
    );
    for (const { title, next } of sections) t.ok(next !== undefined && next !== 'heading', title);
  });
}

t.test('every code is explained, and nothing else is', async (t) => {
  const { fixes } = (await import(join(root, 'scripts/docs/fixes.mjs'))) as { fixes: Record<string, string[]> };
  t.strictSame(Object.keys(fixes).sort(), [...Object.keys(refusals), ...Object.keys(faults)].sort());
  for (const [code, [happened = '', fix = '']] of Object.entries(fixes))
    t.ok(happened.length > 20 && fix.length > 10, code);
});

t.test('names of the configuration are snake_case, and whole numbers have a unit or count things', async (t) => {
  const counts =
    /(?:_ms|_bytes|_in_progress|_per_second|_per_minute|_per_address|_per_key|_per_subject|_per_connection|_ports|connections|entries|buckets|_serial|queue|concurrency|rate|burst)$/;
  for (const { path, schema } of fields()) {
    t.match(path, /^[a-z_]+(?:\[\])?(?:\.[a-z_]+)*$/, path);
    if (JSON.stringify(schema.def).includes('"safeint"')) t.match(path, counts, path);
  }
});

t.test('the glossary is in order, each word once', async (t) => {
  const words = readFileSync(join(root, 'docs/glossary.md'), 'utf8')
    .split('\n')
    .flatMap((line) => /^\| (?!word|-)([^|]+?) +\|/.exec(line)?.[1] ?? []);
  t.ok(words.length > 20);
  t.strictSame(words, [...new Set(words)].sort());
});
