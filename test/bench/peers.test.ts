// The parts of the variants fit together: nothing is named that is not there, and nothing is there that nobody uses.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from '../wire/support/build.js';

interface Variant {
  readonly name: string;
  readonly copyOf?: string;
  readonly ports: number;
  readonly files?: Readonly<Record<string, string>>;
  readonly procs: readonly { readonly cmd: readonly string[] }[];
}
interface Start {
  readonly options: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const peers = join(root, 'bench', 'peers');
const { default: variants } = (await import(join(peers, 'variants.mjs'))) as { default: readonly Variant[] };
const { startOf } = (await import(join(peers, 'memgate', 'image.mjs'))) as {
  startOf: (dockerfile: string, launcher: string) => Start;
};

t.test('every variant has a name of its own, and a copy has an original that is started alike', async (t) => {
  const names = variants.map(({ name }) => name);
  t.equal(new Set(names).size, names.length);
  for (const { name, copyOf, procs } of variants) {
    if (copyOf === undefined) continue;
    const original = variants.find((other) => other.name === copyOf);
    t.strictSame(procs, original?.procs, `${name} is a copy of ${copyOf}`);
  }
});

t.test('every file that is named is there, and every file that is there is named', async (t) => {
  const rendered = new Set(variants.flatMap(({ files = {} }) => Object.values(files)));
  const texts = [...readdirSync(peers), ...readdirSync(join(peers, 'memgate')).map((name) => join('memgate', name))]
    .filter((name) => name.endsWith('.mjs'))
    .map((name) => readFileSync(join(peers, name), 'utf8'));
  for (const name of rendered) t.ok(existsSync(join(peers, 'configs', name)), name);
  const configs = readdirSync(join(peers, 'configs'));
  const included = configs.flatMap((name) =>
    [...readFileSync(join(peers, 'configs', name), 'utf8').matchAll(/\{\{include ([\w.-]+)\}\}/g)].map(
      ([, file]) => file,
    ),
  );
  for (const name of configs)
    t.ok(
      rendered.has(name) || included.includes(name) || texts.some((text) => text.includes(`'${name}'`)),
      `${name} is used`,
    );
  for (const file of included) t.ok(configs.includes(file!), `${file!} is included`);
  const programs = variants
    .flatMap(({ procs }) => procs.flatMap(({ cmd }) => cmd))
    .filter((word) => word.startsWith('{{HERE}}/'));
  for (const word of new Set(programs)) t.ok(existsSync(word.replace('{{HERE}}', peers)), word);
});

t.test('the image tells how memgate is started', async (t) => {
  const text = [
    'FROM a AS build\nENV IGNORED=1\n',
    'FROM b\nENV NODE_ENV=production SPACE=a=b\nENV MORE=1 \\\n    OTHER=2\n',
    'ENTRYPOINT ["/app/bin/memgate"]\nCMD ["serve"]\n',
  ].join('\n');
  const launcher = [
    '#!/bin/sh',
    'export LIMIT="${LIMIT-7}"',
    'export OPTIONS="--a=1 --b${OPTIONS:+ $OPTIONS}"',
    'exec node --one --two=3 "$here/cli.js" "$@"\n',
  ].join('\n');
  const env = { NODE_ENV: 'production', SPACE: 'a=b', MORE: '1', OTHER: '2', LIMIT: '7', OPTIONS: '--a=1 --b' };
  t.strictSame(startOf(text, launcher), { options: ['--one', '--two=3'], env });
  t.throws(() => startOf('FROM a\n\nFROM b\nENTRYPOINT ["sh", "-c", "node"]\n', launcher), /ENTRYPOINT/);
  t.throws(() => startOf(text, 'node cli.js\n'), /exec node/);
  const { cmd } = variants.find(({ name }) => name === 'memgate')!.procs[0]!;
  const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');
  const start = startOf(read('deploy', 'Dockerfile'), read('bin', 'memgate'));
  t.strictSame(cmd.slice(1, 1 + start.options.length), start.options);
  t.equal(Object.keys(start.env).length, read('bin', 'memgate').match(/^export /gm)!.length + 1, 'with NODE_ENV');
});

const opa = join(root, '.cache', 'bin', 'opa');
const skip = !existsSync(opa) && process.env['CI'] !== 'true' ? 'left out: opa in .cache/bin' : false;
const policies = [['policy'], ['policy-small'], ['policy-memgate'], ['policy', 'policy-caddy']];

t.test('the policies are formatted, and hold under the strict check', { skip }, async (t) => {
  for (const names of policies) {
    const places = names.map((name) => join(peers, name));
    t.equal(execFileSync(opa, ['fmt', '--list', ...places], { encoding: 'utf8' }), '', names.join());
    execFileSync(opa, ['check', '--strict', ...places]);
  }
});
