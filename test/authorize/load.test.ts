import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { packTar, unpackTar, type ParsedTarEntryWithData } from 'modern-tar';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { fixture, load, loaded, shipped } from './fixtures/stage.js';

const entries = await unpackTar(gunzipSync(readFileSync(shipped)));
const bytesOf = (name: string): Buffer => Buffer.from(entries.find(({ header }) => header.name === name)?.data ?? []);
const file = (name: string, data: Uint8Array | string): ParsedTarEntryWithData => {
  const bytes = Uint8Array.from(Buffer.from(data));
  return { header: { name, size: bytes.length, type: 'file' }, data: bytes };
};

/** The shipped bundle with some members replaced, or left out where the value is null. */
async function packed(
  over: Record<string, Uint8Array | string | null> = {},
  more: ParsedTarEntryWithData[] = [],
): Promise<Buffer> {
  const kept = entries.filter(({ header }) => !(header.name in over));
  const changed = Object.entries(over).flatMap(([name, data]) => (data === null ? [] : [file(name, data)]));
  return gzipSync(await packTar([...kept, ...changed, ...more]));
}

const manifest = JSON.parse(bytesOf('/.manifest').toString()) as Record<string, unknown>;
const withManifest = (over: object): Promise<Buffer> =>
  packed({ '/.manifest': JSON.stringify({ ...manifest, ...over }) });
const [only] = manifest['wasm'] as [object];

function patched(from: Buffer, to: Buffer): Promise<Buffer> {
  const wasm = Buffer.from(bytesOf('/policy.wasm'));
  const at = wasm.indexOf(from);
  if (at < 0) throw new Error('the module holds no such bytes');
  to.copy(wasm, at);
  return packed({ '/policy.wasm': wasm });
}

async function complaints(t: Test, bytes: Buffer, dataDir: string | null = null): Promise<string> {
  const bundleFile = join(t.testdir({ 'b.tar.gz': bytes }), 'b.tar.gz');
  const policy = await load({ bundleFile, dataDir });
  if (policy.ok) return 'loaded';
  t.equal(policy.why[0]?.file, dataDir === null ? bundleFile : policy.why[0]?.file);
  return policy.why.map(({ path, message }) => `${path} ${message}`.trim()).join('\n');
}
t.test('loadPolicy() loads the shipped bundle and tells what is in it', async (t) => {
  const policy = await loaded(shipped);
  t.match(policy.revision, /^[0-9a-f]{32}$/);
  t.match(policy.digest, /^[0-9a-f]{64}$/);
  t.strictSame([...policy.knownSpaces].sort(), ['alpha', 'beta', 'default']);
  t.strictSame([...policy.tierNames].sort(), ['enterprise', 'free', 'premium', 'pro', 'unlimited']);
  t.strictSame(policy.rolePermissions.get('writer'), ['MemoryDelete', 'MemoryRead', 'MemoryWrite']);
  t.ok(policy.roleNames.has('admin'));
  t.ok(policy.memoryBytes() > 0);
  t.equal((await loaded(shipped)).digest, policy.digest, 'the digest is of the content');
});

const bad: Record<string, { bytes: () => Buffer | Promise<Buffer>; wants: RegExp }> = {
  'an empty file': { bytes: () => Buffer.alloc(0), wants: /not a gzip file/ },
  text: { bytes: () => Buffer.from('hello'), wants: /not a gzip file/ },
  'a truncated gzip': { bytes: async () => (await packed()).subarray(0, 1_000), wants: /cannot be unpacked/ },
  'gzip of something else': { bytes: () => gzipSync('x'.repeat(2_000)), wants: /cannot be unpacked|no member/ },
  'a decompression bomb': { bytes: () => gzipSync(Buffer.alloc(40 * 1_048_576)), wants: /holds over 16777216 bytes/ },
  'over 1000 members': {
    bytes: () =>
      packed(
        {},
        Array.from({ length: 1_000 }, (_, n) => file(`/r${String(n)}.rego`, '')),
      ),
    wants: /over 1000 members/,
  },
  'a name with dot dot': { bytes: () => packed({}, [file('/../x.rego', '')]), wants: /plain relative path/ },
  'a name with two slashes': { bytes: () => packed({}, [file('//x.rego', '')]), wants: /plain relative path/ },
  'a name with a control character': {
    bytes: () => packed({}, [file('/x\u0007.rego', '')]),
    wants: /plain relative path/,
  },
  'a symbolic link': {
    bytes: () => packed({}, [{ header: { name: '/x.rego', size: 0, type: 'symlink', linkname: '/etc/passwd' } }]),
    wants: /not a regular file/,
  },
  'a directory': {
    bytes: () => packed({}, [{ header: { name: '/x', size: 0, type: 'directory' } }]),
    wants: /not a regular file|plain relative/,
  },
  'a member twice': { bytes: () => packed({}, [file('/data.json', '{}')]), wants: /"data.json" twice/ },
  'a member twice in two spellings': { bytes: () => packed({}, [file('data.json', '{}')]), wants: /"data.json" twice/ },
  'a delta': {
    bytes: () => packed({}, [file('/patch.json', '{}')]),
    wants: /"patch.json", which this version does not read/,
  },
  'no data': { bytes: () => packed({ '/data.json': null }), wants: /no member "data.json"/ },
  'data that is no JSON': { bytes: () => packed({ '/data.json': '{' }), wants: /"data.json" is not strict JSON/ },
  'data that is a list': { bytes: () => packed({ '/data.json': '[]' }), wants: /data.json is not an object/ },
  'data with an unknown permission': {
    bytes: () => packed({ '/data.json': '{"roles":{"a":{"permissions":{"Everything":true}}}}' }),
    wants: /^roles\.a\.permissions/,
  },
  'too much data': {
    bytes: () => packed({ '/data.json': JSON.stringify({ own: 'x'.repeat(300_000) }) }),
    wants: /over 262144 bytes/,
  },
  'no manifest': { bytes: () => packed({ '/.manifest': null }), wants: /no member "\.manifest"/ },
  'an old rego version': { bytes: () => withManifest({ rego_version: 0 }), wants: /rego_version must be 1/ },
  'no entrypoint': { bytes: () => withManifest({ wasm: [] }), wants: /exactly one entrypoint/ },
  'two entrypoints': { bytes: () => withManifest({ wasm: [only, only] }), wants: /exactly one entrypoint/ },
  'another entrypoint': {
    bytes: () => withManifest({ wasm: [{ ...only, entrypoint: 'memgate/authz/allow' }] }),
    wants: /must be memgate\/authz\/decision/,
  },
  'an empty revision': { bytes: () => withManifest({ revision: '' }), wants: /revision must be/ },
  'PE-08 no module': { bytes: () => packed({ '/policy.wasm': null }), wants: /no member "policy.wasm"/ },
  'PE-08 a truncated module': {
    bytes: () => packed({ '/policy.wasm': bytesOf('/policy.wasm').subarray(0, 9_000) }),
    wants: /trap: WebAssembly/,
  },
  'PE-08 a wrong magic number': { bytes: () => packed({ '/policy.wasm': 'nonsense' }), wants: /magic/ },
  'PE-08 ABI 2': {
    bytes: () => patched(Buffer.from('7f0041010b7f0041030b', 'hex'), Buffer.from('7f0041020b7f0041030b', 'hex')),
    wants: /unsupported ABI version 2/,
  },
  'PE-08 ABI 1.1': {
    bytes: () => patched(Buffer.from('7f0041010b7f0041030b', 'hex'), Buffer.from('7f0041010b7f0041010b', 'hex')),
    wants: /ABI before 1\.2/,
  },
  'PE-08 a missing entry point': {
    bytes: () => patched(Buffer.from('memgate/authz/decision'), Buffer.from('memgate/authz/deciding')),
    wants: /exactly the entrypoint/,
  },
  'PE-08 an unknown import': {
    bytes: () => patched(Buffer.from('opa_builtin4'), Buffer.from('opa_builtin9')),
    wants: /imports "env\.opa_builtin9"/,
  },
  'PE-08 an import of the host': {
    bytes: () => patched(Buffer.from('env\u000copa_builtin4'), Buffer.from('wsi\u000copa_builtin4')),
    wants: /imports "wsi\.opa_builtin4"/,
  },
  'PE-08 a module without the evaluator': {
    bytes: () => patched(Buffer.from('opa_eval\u0000'), Buffer.from('opa_evil\u0000')),
    wants: /export "opa_eval"/,
  },
  'a built-in of the host': {
    bytes: () => readFileSync(fixture('builtin')),
    wants: /time\.now_ns, which this runtime lacks/,
  },
  'PE-05 a cubic policy': {
    bytes: () => readFileSync(fixture('cubic')),
    wants: /activation: .*(timeout|over the budget)/,
  },
  'a policy that is not total': {
    bytes: () => readFileSync(fixture('partial')),
    wants: /activation: the decision is undefined/,
  },
};

for (const [name, { bytes, wants }] of Object.entries(bad)) {
  t.test(`loadPolicy() refuses ${name}`, async (t) => {
    t.match(await complaints(t, await bytes()), wants);
  });
}

t.test('loadPolicy() refuses a file that is not there, a directory and a pipe', async (t) => {
  const directory = t.testdir({ d: {} });
  execFileSync('mkfifo', [join(directory, 'pipe')]);
  for (const [name, wants] of [
    ['nothing', /does not exist/],
    ['d', /not a regular file/],
    ['pipe', /not a regular file/],
  ] as const) {
    const policy = await load({ bundleFile: join(directory, name) });
    t.match(policy.ok ? '' : policy.why[0]?.message, wants);
  }
});

t.test('PE-05 loadPolicy() refuses what is over the budget by the real clock', async (t) => {
  const policy = await load({ bundleFile: shipped, budgetMs: 0.0001 }, { clock: systemClock });
  t.match(policy.ok ? '' : policy.why[0]?.message, /over the budget of 0\.0001 ms/);
});

t.test('a list of tools for a role that is none is refused: it would limit nobody', async (t) => {
  const tools = (role: string): string =>
    `roles:\n  ${role}: { read_graph: true }\nsubjects: {}\nblocked: {}\narguments: {}\n`;
  const misspelled = t.testdir({ 'tools.yaml': tools('raeder') });
  const policy = await load({ bundleFile: shipped, dataDir: misspelled });
  t.match(policy.ok ? [] : policy.why, [
    {
      file: join(misspelled, 'tools.yaml'),
      line: 2,
      path: 'roles.raeder',
      message: 'is the name of no role; wanted one of admin, auditor, operator, reader, space-manager, writer',
    },
  ]);
  const made = t.testdir({
    'tools.yaml': tools('note-taker'),
    'roles.yaml': 'note-taker:\n  permissions: { MemoryRead: true }\n',
  });
  t.ok((await load({ bundleFile: shipped, dataDir: made })).ok);
});
t.test('loadPolicy() replaces data by name', async (t) => {
  const dataDir = t.testdir({
    'spaces.yaml': 'known: { gamma: true }\n',
    'tiers.yaml': 'gold:\n  limits: [{ id: t, key: [subject], algorithm: sliding_window, rate: 5, per: 1, cost: 1 }]\n',
    '..hidden.yaml': 'known: 1',
    'README.md': 'not data',
  });
  const policy = await loaded(shipped, {}, dataDir);
  t.strictSame([...policy.knownSpaces], ['gamma']);
  t.strictSame([...policy.tierNames], ['gold']);
  t.ok(policy.roleNames.has('reader'), 'what has no file stays');
  t.not(policy.digest, (await loaded(shipped)).digest);
  t.equal(policy.revision, (await loaded(shipped)).revision);
});

t.test('loadPolicy() names file, line and path of every problem of the data', async (t) => {
  const directory = t.testdir({
    'tiers.yaml':
      'gold:\n  limits:\n    - { id: t, key: [subject], algorithm: token_bucket, rate: 0, per: 60, burst: 1, cost: 1 }\n',
    'roles.yaml': 'reader:\n  permissions:\n    MemoryRaed: true\n',
    'users.yaml': 'a: 1\n',
    'networks.yaml': 'pods: [10.0.0.0/40]\n',
    'spaces.yaml': 'known: {a: true\n',
    'defaults.yaml': '',
    'changes.yaml': {},
  });
  const policy = await load({ bundleFile: shipped, dataDir: directory });
  const told = policy.ok
    ? []
    : policy.why.map(({ file: at, line, path }) => `${at.slice(directory.length + 1)}:${String(line)} ${path}`);
  t.match(told, [
    'changes.yaml:0 ',
    /^defaults\.yaml:\d+ $/,
    'networks.yaml:1 pods.0',
    /^roles\.yaml:\d reader\.permissions/,
    /^spaces\.yaml:\d/,
    'tiers.yaml:3 gold.limits.0.rate',
    'users.yaml:0 ',
  ]);
  const nowhere = await load({ bundleFile: shipped, dataDir: join(directory, 'no') });
  t.match(nowhere.ok ? '' : nowhere.why[0]?.message, /does not exist; wanted a directory/);
});

t.test('loadPolicy() says which algorithms there are', async (t) => {
  const limit = '{ id: t, key: [subject], algorithm: sliding, rate: 5, per: 1, cost: 1 }';
  const directory = t.testdir({ 'tiers.yaml': `gold:\n  limits: [${limit}]\n` });
  const policy = await load({ bundleFile: shipped, dataDir: directory });
  t.match(policy.ok ? [] : policy.why.map(({ path, message }) => `${path} ${message}`), [
    'gold.limits.0.algorithm is "sliding", must be token_bucket or sliding_window',
  ]);
});

t.test('loadPolicy() refuses files that it would not read', async (t) => {
  const ignored = t.testdir({ 'tiers.yml': 'free: { limits: [] }\n', 'spaces.json': '{}' });
  const unread = await load({ bundleFile: shipped, dataDir: ignored });
  t.match(unread.ok ? [] : unread.why.map(({ file, message }) => `${file.slice(ignored.length + 1)} ${message}`), [
    'spaces.json is not read: policy data is NAME.yaml',
    'tiers.yml is not read: policy data is NAME.yaml',
  ]);
});
