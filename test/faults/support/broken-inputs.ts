import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { isRoot } from './environment.js';

/** One input that a reload must refuse, and what the answer has to say of it. */
export interface BrokenInput {
  readonly name: string;
  /** What is broken, relative to the directory of the configuration. */
  readonly file: string;
  readonly breaks: (path: string) => void;
  /** True when a line of the file is at fault, and the answer has to name it. */
  readonly hasLine: boolean;
  readonly says: RegExp;
}

type Rest = Pick<BrokenInput, 'says'> & { readonly hasLine?: boolean };

const textOf = (path: string): string => readFileSync(path, 'utf8');
const write =
  (text: string | Buffer) =>
  (path: string): void => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
const replace =
  (from: string | RegExp, to: string) =>
  (path: string): void => {
    const before = textOf(path);
    const after = before.replace(from, to);
    if (after === before) throw new Error(`${path} holds no ${String(from)}`);
    writeFileSync(path, after);
  };
const remove = (path: string): void => {
  rmSync(path, { recursive: true, force: true });
};
const directory = (path: string): void => {
  remove(path);
  mkdirSync(path);
};
const link =
  (target: string) =>
  (path: string): void => {
    remove(path);
    symlinkSync(target, path);
  };
const pipe = (path: string): void => {
  remove(path);
  execFileSync('mkfifo', [path]);
};
// Permissions do not stop root. Reading the memory of nowhere fails for everybody.
const unreadable = (path: string): void => {
  if (isRoot) link('/proc/self/mem')(path);
  else chmodSync(path, 0);
};

const input = (
  file: string,
  name: string,
  breaks: BrokenInput['breaks'],
  { says, hasLine = false }: Rest,
): BrokenInput => ({
  name: `${file}: ${name}`,
  file,
  breaks,
  says,
  hasLine,
});

const config = 'memgate.yaml';
/** Lays a member over the configuration, which is JSON. */
const set =
  (name: string, value: unknown) =>
  (path: string): void => {
    writeFileSync(path, JSON.stringify({ ...JSON.parse(textOf(path)), [name]: value }, null, 2));
  };
const keys = { manifests: './keys' };

const configuration: readonly BrokenInput[] = [
  input(config, 'a flow that is not closed', replace(/\}\s*$/, ''), { says: /./, hasLine: true }),
  input(config, 'a wrong indentation', write('data_dir: ./data\n  profile: x\n'), { says: /./, hasLine: true }),
  input(config, 'a wrong type', set('drain_ms', 'soon'), { says: /drain_ms/, hasLine: true }),
  input(config, 'an unknown field', set('gatway', {}), { says: /gatway/, hasLine: true }),
  input(config, 'an unknown field inside', set('keys', { ...keys, prefix: 'kor' }), {
    says: /keys.*prefix/,
    hasLine: true,
  }),
  input(config, 'a number out of range', set('drain_ms', -1), { says: /drain_ms/, hasLine: true }),
  input(config, 'a required field missing', set('profile', undefined), { says: /profile/, hasLine: true }),
  input(config, 'a name that stands twice', replace('"drain_ms"', '"data_dir": "./other",\n  "drain_ms"'), {
    says: /data_dir/,
    hasLine: true,
  }),
  input(config, 'an alias', write('data_dir: &a ./data\nprofile: *a\n'), { says: /alias|anchor/i, hasLine: true }),
  input(config, 'a second document', write('data_dir: ./data\n---\nprofile: x\n'), {
    says: /second document/,
    hasLine: true,
  }),
  input(config, 'a name of the prototype', replace('"drain_ms"', '"__proto__": {},\n  "drain_ms"'), {
    says: /__proto__/,
    hasLine: true,
  }),
  input(config, 'nested too deeply', write('['.repeat(5_000)), { says: /nested too deeply/, hasLine: true }),
  input(config, 'an empty file', write(''), { says: /is empty/ }),
  input(config, 'no file', remove, { says: /does not exist/ }),
  input(config, 'a directory', directory, { says: /not a regular file/ }),
  input(config, 'no right to read it', unreadable, { says: /cannot be read/ }),
  input(config, 'a pipe', pipe, { says: /not a regular file/ }),
  input(config, 'a link to nowhere', link('./nowhere'), { says: /does not exist/ }),
  input(config, 'a link to itself', link(config), { says: /symbolic links/ }),
  input(config, 'bytes that are no text', write(Buffer.from([0x61, 0x3a, 0xff, 0xfe])), { says: /UTF-8/ }),
  input(config, 'over 1 MiB', write(`a: ${'x'.repeat(1_100_000)}\n`), { says: /bytes/ }),
  input(config, 'a port that needs a restart', set('gateway', { listen: '127.0.0.1:1' }), {
    says: /gateway\.listen.*needs a restart/,
  }),
  input(config, 'another audit directory', set('audit', { dir: './other' }), { says: /audit\.dir.*needs a restart/ }),
  input(config, 'open to everybody', set('auth_mode', 'none'), { says: /auth_mode.*--i-know-this-is-open/ }),
  input(config, 'a secret that is not set', set('upstream', { credential: { from_env: 'MEMGATE_NOT_SET' } }), {
    says: /MEMGATE_NOT_SET/,
  }),
  input(config, 'no such network', set('gateway', { listen: '127.0.0.1:0', trusted_proxies: ['10.0.0.0/99'] }), {
    says: /trusted_proxies/,
    hasLine: true,
  }),
];

const profile = 'profile.yaml';
const bundle = 'policy.tar.gz';
const policy: readonly BrokenInput[] = [
  input(profile, 'broken YAML', replace('routes:', 'routes: ]'), { says: /./, hasLine: true }),
  input(profile, 'an unknown permission', replace('permission: MemoryWrite', 'permission: MemoryWrote'), {
    says: /permission/,
    hasLine: true,
  }),
  input(profile, 'an unknown field', replace('routes:', 'rotes: 1\nroutes:'), { says: /rotes/, hasLine: true }),
  input(profile, 'an empty file', write(''), { says: /is empty/ }),
  input(profile, 'a directory', directory, { says: /not a regular file/ }),
  input(profile, 'no right to read it', unreadable, { says: /cannot be read/ }),
  input(bundle, 'cut in half', (path) => truncateSync(path, Math.floor(readFileSync(path).length / 2)), {
    says: /unpacked/,
  }),
  input(bundle, 'no gzip', write('not a bundle'), { says: /gzip/ }),
  input(bundle, 'gzip, and nothing in it', write(gzipSync('')), { says: /./ }),
  input(bundle, 'gzip of something else', write(gzipSync(Buffer.alloc(2_048, 'x'))), { says: /./ }),
  input(bundle, 'an empty file', write(''), { says: /./ }),
  input(bundle, 'no file', remove, { says: /./ }),
  input(bundle, 'a directory', directory, { says: /not a regular file/ }),
  input(bundle, 'no right to read it', unreadable, { says: /read|open/ }),
  input(bundle, 'a pipe', pipe, { says: /not a regular file/ }),
  input('policy-data/tiers.yaml', 'broken YAML', write('gold: [\n'), { says: /./, hasLine: true }),
  input(
    'policy-data/tiers.yaml',
    'a rate of nothing',
    write(
      'gold:\n  limits:\n    - { id: tier, key: [subject], algorithm: token_bucket, rate: 0, per: 60, burst: 1, cost: 1 }\n',
    ),
    { says: /rate/, hasLine: true },
  ),
  input('policy-data/roles.yaml', 'an unknown permission', write('auditor:\n  permissions: { MemoryRaed: true }\n'), {
    says: /MemoryRaed/,
    hasLine: true,
  }),
  input('policy-data/nobody.yaml', 'data that the bundle does not have', write('a: 1\n'), { says: /nobody/ }),
  input('policy-data/spaces.yaml', 'an empty file', write(''), { says: /is empty/ }),
];

const manifest = 'keys/more.yaml';
const id = 'abcdefgh12345678';
const hash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g';
const entry = (more: string): string =>
  `keys:\n  - id: ${id}\n    hash: '${hash}'\n    name: more\n    spaces: [alpha]\n${more}`;
const manifests: readonly BrokenInput[] = [
  input(manifest, 'broken YAML', write('keys:\n  - id: [\n'), { says: /./, hasLine: true }),
  input(manifest, 'an unknown permission', write(entry('    permissions: [MemoryRaed]\n')), {
    says: /permissions/,
    hasLine: true,
  }),
  input(manifest, 'an unknown tier', write(entry('    tier: platinum\n')), { says: /platinum/, hasLine: true }),
  input(manifest, 'an unknown role', write(entry('    roles: [nobody]\n')), { says: /nobody/, hasLine: true }),
  input(manifest, 'an unknown field', write(entry('    secret: x\n')), { says: /secret/, hasLine: true }),
  input(manifest, 'a time that is none', write(entry('    expires_at: tomorrow\n')), {
    says: /expires_at/,
    hasLine: true,
  }),
  input(manifest, 'one id twice', write(entry(entry('').slice('keys:\n'.length))), {
    says: /stands already/,
    hasLine: true,
  }),
  input(manifest, 'an empty file', write(''), { says: /is empty/ }),
  input(manifest, 'a directory', directory, { says: /not a regular file/ }),
  input('keys/more.yml', 'a name that is not read', write(entry('')), { says: /\.yaml/ }),
];

/** Everything that R6 puts in front of a reload. */
export const brokenInputs: readonly BrokenInput[] = [...configuration, ...policy, ...manifests];

/** Keeps the files of a directory as they are now; the answer puts one of them back. */
export function keeper(dir: string): (file: string) => void {
  const kept = new Map<string, Buffer>([config, profile, bundle].map((file) => [file, readFileSync(join(dir, file))]));
  return (file) => {
    const path = join(dir, file);
    remove(path);
    const before = kept.get(file);
    if (before !== undefined) writeFileSync(path, before);
  };
}
