import { gzipSync } from 'node:zlib';
import t from 'tap';
import { noVerification, readBundle } from '../../src/bundle/bundle.js';
import { packed, rawTar, shippedMembers, type RawEntry } from './support/forge.js';

const members = await shippedMembers();
const good: RawEntry[] = [...members].map(([name, data]) => ({ name: `/${name}`, data }));
const withOne = (entry: RawEntry): Buffer => gzipSync(rawTar([...good, entry]));

async function complaint(bytes: Uint8Array): Promise<string> {
  const read = await readBundle(bytes, noVerification, 'b');
  return read.ok ? 'read' : read.why.map(({ file, message }) => `${file} ${message}`).join('\n');
}

t.test('readBundle() reads what other tools write', async (t) => {
  for (const bytes of [await packed(members), gzipSync(rawTar(good))]) {
    const read = await readBundle(bytes, noVerification);
    t.ok(read.ok);
    if (!read.ok) continue;
    t.strictSame([...read.value.members.keys()].sort(), [...members.keys()].sort());
    for (const [name, data] of members) t.same(read.value.members.get(name), Buffer.from(data), name);
    t.match(read.value, { signedBy: null, isSigned: false, serial: null, notAfterMs: null });
  }
  const named = gzipSync(rawTar(good));
  const header = Buffer.concat([named.subarray(0, 3), Buffer.from([8 + 4]), named.subarray(4, 10)]);
  const more = Buffer.from('\x03\0abcmemgate.tar\0', 'latin1');
  t.equal(await complaint(Buffer.concat([header, more, named.subarray(10)])), 'read', 'with a name in the gzip header');
});

const archives: Readonly<Record<string, { readonly bytes: Uint8Array; readonly wants: RegExp }>> = {
  'RL-09 a name with dot dot': { bytes: withOne({ name: '../../x.rego' }), wants: /plain relative path/ },
  'RL-09 an absolute name': { bytes: withOne({ name: '/etc/passwd' }), wants: /"etc\/passwd", which this version/ },
  'RL-09 a name of two slashes': { bytes: withOne({ name: '//x.rego' }), wants: /plain relative path/ },
  'RL-09 a name that ends in a slash': { bytes: withOne({ name: 'x.rego/' }), wants: /plain relative path/ },
  'RL-09 an empty name': { bytes: withOne({ name: '' }), wants: /follows the end of the archive/ },
  'RL-09 a name with a NUL': { bytes: withOne({ name: 'a.rego\0b.rego' }), wants: /behind a NUL/ },
  'RL-09 a prefix with dot dot': { bytes: withOne({ name: 'x.rego', prefix: '..' }), wants: /plain relative path/ },
  'RL-09 a name that is not ASCII': { bytes: withOne({ name: 'ä.rego' }), wants: /plain relative path/ },
  'RL-09 a symbolic link': {
    bytes: withOne({ name: 'x.rego', type: '2', link: '/etc/passwd' }),
    wants: /a symbolic link/,
  },
  'RL-09 a hard link': { bytes: withOne({ name: 'x.rego', type: '1', link: 'data.json' }), wants: /a hard link/ },
  'RL-09 a file that names another': { bytes: withOne({ name: 'x.rego', link: 'data.json' }), wants: /names another/ },
  'RL-09 a device': { bytes: withOne({ name: 'x.rego', type: '3' }), wants: /a device/ },
  'RL-09 a pipe': { bytes: withOne({ name: 'x.rego', type: '6' }), wants: /a pipe/ },
  'RL-09 a directory': { bytes: withOne({ name: 'x.rego', type: '5' }), wants: /a directory/ },
  'RL-09 an extended header': {
    bytes: withOne({ name: 'x.rego', type: 'x', data: Buffer.from('20 path=a\0b.rego\n') }),
    wants: /an extended header/,
  },
  'RL-09 a long name of GNU': { bytes: withOne({ name: 'x.rego', type: 'L' }), wants: /something unknown/ },
  'RL-09 a sparse file of GNU': { bytes: withOne({ name: 'x.rego', type: 'S' }), wants: /something unknown/ },
  'RL-09 a member twice': {
    bytes: withOne({ name: '/data.json', data: Buffer.from('{}') }),
    wants: /"data.json" twice/,
  },
  'RL-09 a member twice in two spellings': { bytes: withOne({ name: 'data.json' }), wants: /"data.json" twice/ },
  'RL-09 a negative size': { bytes: withOne({ name: 'x.rego', size: '-0000000001\0' }), wants: /size is not a plain/ },
  'RL-09 a binary size': {
    bytes: withOne({ name: 'x.rego', size: Buffer.from('ff'.repeat(12), 'hex') }),
    wants: /size is not a plain/,
  },
  'RL-09 a size beyond the end': { bytes: withOne({ name: 'x.rego', size: '77777777777\0' }), wants: /truncated/ },
  'RL-09 over 1000 entries': {
    bytes: gzipSync(rawTar(Array.from({ length: 1_001 }, (_, n) => ({ name: `r${String(n)}.rego` })))),
    wants: /over 1000 members/,
  },
  'RL-09 100,000 entries': {
    bytes: gzipSync(
      Buffer.concat(Array.from({ length: 100_000 }, () => rawTar([{ name: 'r.rego' }], Buffer.alloc(0)))),
    ),
    wants: /holds over 16777216 bytes/,
  },
  'an archive without its end': { bytes: gzipSync(rawTar(good, Buffer.alloc(0))), wants: /archive is truncated/ },
  'something behind the end': {
    bytes: gzipSync(rawTar(good, Buffer.alloc(2_048, 'x').fill(0, 0, 1_024))),
    wants: /follows the end/,
  },
  'RL-10 a bomb': { bytes: gzipSync(Buffer.alloc(64 * 1_048_576)), wants: /holds over 16777216 bytes/ },
  'RL-10 a bomb inside the archive': {
    bytes: withOne({ name: 'x.rego', data: Buffer.alloc(17 * 1_048_576) }),
    wants: /holds over 16777216 bytes/,
  },
  'RL-10 two gzip members': {
    bytes: Buffer.concat([gzipSync(rawTar(good)), gzipSync(rawTar(good))]),
    wants: /follows the gzip data/,
  },
  'RL-10 an archive in two gzip members': {
    bytes: Buffer.concat([gzipSync(rawTar(good).subarray(0, 1_024)), gzipSync(rawTar(good).subarray(1_024))]),
    wants: /follows the gzip data/,
  },
  'RL-10 trailing garbage': {
    bytes: Buffer.concat([gzipSync(rawTar(good)), Buffer.from('x')]),
    wants: /follows the gzip/,
  },
  'RL-10 a truncated file': { bytes: gzipSync(rawTar(good)).subarray(0, -9), wants: /truncated/ },
  'RL-10 a truncated checksum': { bytes: gzipSync(rawTar(good)).subarray(0, -1), wants: /truncated/ },
  'RL-10 nothing but a head': { bytes: gzipSync(rawTar(good)).subarray(0, 10), wants: /truncated/ },
  'a file that is too long': { bytes: Buffer.alloc(4 * 1_048_576 + 1), wants: /holds more than 4194304 bytes/ },
};

for (const [name, { bytes, wants }] of Object.entries(archives)) {
  t.test(`readBundle() refuses ${name}`, async (t) => {
    t.match(await complaint(bytes), wants);
  });
}

t.test('readBundle() refuses a file that has one bit changed', async (t) => {
  const whole = gzipSync(rawTar(good));
  for (let n = 0; n < 200; n += 1) {
    const changed = Buffer.from(whole);
    const at = Math.floor((n / 200) * whole.length);
    changed[at] = (changed[at] ?? 0) ^ (1 << (n % 8));
    const said = await complaint(changed);
    // Time, extra flags and operating system of the gzip header say nothing about the content.
    if (at >= 4 && at < 10) continue;
    t.not(said, 'read', `byte ${String(at)}`);
  }
});

t.test('readBundle() refuses documents that two readers would read differently', async (t) => {
  const documents: Readonly<Record<string, RegExp>> = {
    '{"a":1,"a":2}': /a key that stands twice/,
    '{"a":"\\ud800"}': /a lone surrogate/,
    '{"a":1} {"b":2}': /something follows/,
    '{"__proto__":{"roles":{}}}': /a key that is not accepted/,
    '\ufeff{}': /strict JSON/,
  };
  for (const [text, wants] of Object.entries(documents)) {
    t.match(await complaint(await packed(new Map(members).set('data.json', Buffer.from(text)))), wants, text);
  }
  const latin = Buffer.from('{"a":"\xe4"}', 'latin1');
  t.match(await complaint(await packed(new Map(members).set('data.json', latin))), /not UTF-8/);
  const long = Buffer.from(JSON.stringify({ own: 'x'.repeat(1_048_576) }));
  t.match(await complaint(await packed(new Map(members).set('data.json', long))), /must be ≤ 1048576/);
});
