import t from 'tap';
import { readdirSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join, resolve } from 'node:path';
import { changedFields, fields, jsonSchema, loadConfig, restartFields } from '../../src/config/config.js';
import { schema } from '../../src/config/schema.js';
import { describeProblem } from '../../src/base/document.js';

const least = 'profile: ./p.yaml\npolicy: {bundle: ./b.tar.gz}\n';

t.test('loadConfig() gives a frozen configuration, its digest and its directory', async (t) => {
  const directory = t.testdir({ 'memgate.yaml': least });
  const loaded = await loadConfig(join(directory, 'memgate.yaml'));
  if (!loaded.ok) return t.fail('must load', loaded);
  const { config, file, digest, resolvePath } = loaded.value;
  t.equal(digest, createHash('sha256').update(least).digest('hex'));
  t.equal(file, join(directory, 'memgate.yaml'));
  t.equal(resolvePath('./p.yaml'), join(directory, 'p.yaml'));
  t.equal(resolvePath('/etc/p.yaml'), '/etc/p.yaml');
  t.throws(() => Object.assign(config.gateway, { listen: 'x' }), TypeError);
  t.match(config, {
    auth_mode: 'api_key',
    enforcement: 'enforce',
    gateway: { listen: '127.0.0.1:8080', trusted_proxies: [] },
    audit: { durability: { content: 'strict' }, allow_tmpfs: false },
    upstream: { url: 'http://127.0.0.1:7432' },
  });
});

const refused = [
  { name: 'an absent profile', text: 'policy: {bundle: b}\n', want: ['1:1: profile: is missing; it must be text'] },
  {
    name: 'every problem at once',
    text: `${least}gatewey: {}\ngateway:\n  max_conections: 5\n  listen: here\nlog: {level: loud}\n`,
    want: [
      '3:1: gatewey: unknown name; did you mean "gateway"?',
      '5:3: gateway.max_conections: unknown name; did you mean "max_connections"?',
      '6:11: gateway.listen: is "here", must be ADDRESS:PORT, such as 127.0.0.1:8080 or [::]:9902',
      '7:14: log.level: is "loud", must be one of debug, info, warn, error',
    ],
  },
  {
    name: 'two listeners on one address',
    text: 'admin: {listen: "127.0.0.1:8080"}',
    want: ['3:17: admin.listen: is the address of gateway.listen; take another port'],
  },
  {
    name: 'a listener under a wildcard',
    text: 'probes: {listen: "0.0.0.0:9901"}',
    want: ['3:18: probes.listen: is the address of admin.listen; take another port'],
  },
  {
    name: 'localhost and loopback',
    text: 'admin: {listen: "localhost:8080"}',
    want: [/is the address of gateway\.listen/],
  },
  {
    name: 'itself as the upstream',
    text: 'upstream: {url: "http://127.0.0.1:8080"}',
    want: ['3:17: upstream.url: is the address of gateway.listen: a loop'],
  },
  {
    name: 'a port that is too large',
    text: 'gateway: {listen: "127.0.0.1:70000"}',
    want: [/has the port 70000, must be ≤ 65535/],
  },
  {
    name: 'an address that is none',
    text: 'gateway: {listen: "127.0.0.999:80"}',
    want: [/"127\.0\.0\.999" is not an address/],
  },
  {
    name: 'an upstream that is no URL',
    text: 'upstream: {url: "http://a:99999"}',
    want: [/upstream\.url: "http:\/\/a:99999" is not a URL/],
  },
  {
    name: 'a network of all addresses',
    text: 'gateway: {trusted_proxies: [10.0.0.0/8, "::/0"]}',
    want: [/3:41: gateway\.trusted_proxies\.1: ".*\/0" must be an address/],
  },
  {
    name: 'a network that is none',
    text: 'gateway: {trusted_proxies: [10.0.0.0/33, proxy, 10.0.0.1/8/8]}',
    want: [/33/, /proxy/, /8\/8/],
  },
  {
    name: 'a host in upper case',
    text: 'gateway: {allowed_hosts: [Memory.example]}',
    want: [/must be a host in lower case/],
  },
  {
    name: 'two tokens of one id',
    text: 'static_tokens:\n  - {id: a, from_env: A, spaces: [x]}\n  - {id: a, from_env: B, spaces: [x]}',
    want: ['5:10: static_tokens.1.id: "a" stands here a second time; ids are unique'],
  },
  {
    name: 'a token with two sources',
    text: 'static_tokens: [{id: a, from_env: A, from_file: b, spaces: [x]}]',
    want: [/needs exactly one of from_env and from_file/],
  },
  {
    name: 'a right that there is none of',
    text: 'static_tokens: [{id: a, from_env: A, spaces: [x], permissions: [MemoryReed]}]',
    want: [/permissions\.0: .*must be one of MemoryRead, /],
  },
  {
    name: 'a star beside a space',
    text: 'static_tokens: [{id: a, from_env: A, spaces: [x, "*"]}]',
    want: [/let it stand alone/],
  },
  {
    name: 'static tokens without any',
    text: 'auth_mode: [api_key, static_token]',
    want: [/static_tokens: is empty, but auth_mode holds static_token/],
  },
  { name: 'none beside another mode', text: 'auth_mode: [none, api_key]', want: [/none stands alone/] },
  {
    name: 'an unknown mode',
    text: 'auth_mode: jwt',
    want: [/auth_mode: is "jwt", must be one of none, api_key, static_token/],
  },
  {
    name: 'one header for two facts',
    text: 'identity_headers: {subject: X-Who, key_id: x-who}',
    want: [/identity_headers\.key_id: "x-who" is the name in identity_headers\.subject too/],
  },
  {
    name: 'an identity in a header of HTTP',
    text: 'identity_headers: {subject: Content-Length}',
    want: [/"Content-Length" steers HTTP itself/],
  },
  {
    name: 'an audit log without room',
    text: 'audit: {max_bytes: 100000, segment_bytes: 40000, reserve_bytes: 40000}',
    want: ['3:20: audit.max_bytes: is 100000, must be ≥ reserve_bytes + 2 × segment_bytes, here 120000'],
  },
  {
    name: 'bodies that never fit',
    text: 'gateway: {inspect_max_bytes: 2000, inspect_max_bytes_in_progress: 1000}',
    want: [/must be ≥ inspect_max_bytes, here 2000/],
  },
  {
    name: 'a deadline before its parts',
    text: 'upstream: {deadline_ms: 10, headers_timeout_ms: 20}',
    want: [/must be ≥ headers_timeout_ms, here 20/],
  },
  {
    name: 'a credential without a source',
    text: 'upstream: {credential: {header: X-Key}}',
    want: [/upstream\.credential: needs exactly one of/],
  },
];
for (const { name, text, want } of refused) {
  t.test(`loadConfig() refuses ${name}`, async (t) => {
    const file = join(t.testdir({ 'c.yaml': text.includes('policy') ? text : least + text }), 'c.yaml');
    const loaded = await loadConfig(file);
    const told = loaded.ok ? [] : loaded.why.map((problem) => describeProblem(problem).replace(`${file}:`, ''));
    t.match(told, want);
    t.equal(told.length, want.length, told.join('\n'));
  });
}

const accepted = [
  'gateway: {listen: "127.0.0.1:0"}\nadmin: {listen: "127.0.0.1:0"}\nprobes: {listen: "127.0.0.1:0"}',
  'gateway: {listen: "127.0.0.1:9000"}\nadmin: {listen: "127.0.0.2:9000"}',
  'gateway: {trusted_proxies: [10.0.0.0/8, 192.0.2.1, "2001:db8::/32"], allowed_hosts: [memory.example, "localhost:8080", "[::1]:8080"]}',
  'identity_headers: {subject: null, key_id: null}',
  'auth_mode: [api_key, static_token]\nstatic_tokens: [{id: ci, from_env: CI_TOKEN, spaces: ["*"], permissions: [MemoryRead]}]',
  'upstream: {credential: {from_env: UPSTREAM_TOKEN}}',
  'gateway: {listen: "0.0.0.0:8080"}\nupstream: {url: "http://memory:8080"}',
];
for (const text of accepted) {
  t.test(`loadConfig() accepts ${text}`, async (t) => {
    const loaded = await loadConfig(join(t.testdir({ 'c.yaml': least + text }), 'c.yaml'));
    t.ok(loaded.ok, loaded.ok ? '' : loaded.why.map(describeProblem).join('\n'));
  });
}

t.test('loadConfig() names a file that is not there', async (t) => {
  const loaded = await loadConfig('absent.yaml');
  t.match(loaded.ok ? [] : loaded.why.map(describeProblem), ['absent.yaml: does not exist']);
});

const config = (over: object): ReturnType<typeof schema.parse> =>
  schema.parse({ profile: 'p', policy: { bundle: 'b' }, ...over });

t.test('changedFields() and restartFields() name what differs, and only that', async (t) => {
  const before = config({});
  t.strictSame(changedFields(before, config({})), []);
  const after = config({
    enforcement: 'observe',
    gateway: { listen: '127.0.0.1:9', allowed_hosts: ['a'] },
    upstream: { credential: { from_env: 'A' } },
    static_tokens: [{ id: 'a', from_env: 'A', spaces: ['x'] }],
  });
  t.strictSame(changedFields(before, after), [
    'enforcement',
    'gateway.listen',
    'gateway.allowed_hosts',
    'upstream.credential.from_env',
    'static_tokens',
  ]);
  t.strictSame(restartFields(before, after), ['gateway.listen']);
});

t.test('fields() knows every value of a configuration, and describes it', async (t) => {
  const known = new Set(fields().map(({ path }) => path));
  const walk = (value: unknown, path: string): void => {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      for (const [name, inner] of Object.entries(value)) walk(inner, path === '' ? name : `${path}.${name}`);
    } else t.ok(known.has(path), path);
  };
  walk(config({ limits: { system: { rate: 1, burst: 1 } }, upstream: { credential: { from_env: 'A' } } }), '');
  for (const { path, description } of fields()) t.match(description, /^[A-Z*a-z].*\.$/, path);
});

t.test('jsonSchema() is a closed schema without words of our own', async (t) => {
  const made = JSON.stringify(jsonSchema());
  t.match(made, /"additionalProperties":false/);
  t.notMatch(made, /"restart"/);
});

t.test('every configuration file in config/ loads', async (t) => {
  const directory = resolve('config');
  const files = readdirSync(directory).filter((name) => name.endsWith('.yaml'));
  t.ok(files.includes('memgate.yaml'));
  for (const name of files) {
    const loaded = await loadConfig(join(directory, name));
    t.ok(loaded.ok, loaded.ok ? name : loaded.why.map(describeProblem).join('\n'));
  }
});
