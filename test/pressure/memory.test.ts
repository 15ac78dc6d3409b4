import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import { memoryParts } from '../../src/pressure/bounds.js';
import { containerLimit } from '../../src/pressure/memory-limit.js';
import { Memory } from '../../src/pressure/memory.js';

const mib = 1_048_576;
const use = (rss: number, heapUsed = 0): Parameters<Memory['look']>[0] => ({ rss, heapUsed, heapLimit: 1_000 });

t.test('memory is short from the ceiling on, and enough again below nine tenths of it', async (t) => {
  const memory = new Memory(1_000);
  const seen = [900, 999, 1_000, 950, 901, 899, 950].map((rss) => [memory.look(use(rss)), memory.isShort]);
  t.strictSame(seen, [
    [false, false],
    [false, false],
    [true, true],
    [false, true],
    [false, true],
    [true, false],
    [false, false],
  ]);
});

t.test('so it is when the heap of V8 is nearly full, ceiling or not', async (t) => {
  const memory = new Memory(null);
  t.equal(memory.look(use(1e12, 849)), false);
  t.equal(memory.look(use(0, 850)), true);
  t.equal(memory.isShort, true);
  t.equal(memory.look(use(0, 764)), true);
  t.equal(memory.isShort, false);
});

const limits = [
  { name: 'version 2 in a container', files: { self: '0::/', 'memory.max': '402653184' }, want: 402_653_184 },
  { name: 'version 2 without a limit', files: { self: '0::/', 'memory.max': 'max' }, want: null },
  {
    name: 'version 2 with the least limit above',
    files: { self: '0::/a/b', 'a/b/memory.max': '900000000', 'a/memory.max': '500000000' },
    want: 500_000_000,
  },
  {
    name: 'version 2 with the least limit below',
    files: { self: '0::/a/b', 'a/b/memory.max': '400000000', 'a/memory.max': '500000000' },
    want: 400_000_000,
  },
  {
    name: 'version 2 whose own group is not visible',
    files: { self: '0::/kubepods/x', 'memory.max': '300000000' },
    want: 300_000_000,
  },
  {
    name: 'version 1 in a container',
    files: { self: '9:cpu:/\n5:memory:/docker/abc', 'memory/memory.limit_in_bytes': '268435456' },
    want: 268_435_456,
  },
  {
    name: 'version 1 in a group of its own',
    files: { self: '5:hugetlb,memory:/x', 'memory/x/memory.limit_in_bytes': '100000000' },
    want: 100_000_000,
  },
  {
    name: 'version 1 without a limit',
    files: { self: '5:memory:/', 'memory/memory.limit_in_bytes': '9223372036854771712' },
    want: null,
  },
  { name: 'nothing there', files: {}, want: null },
  { name: 'nonsense', files: { self: 'x', 'memory.max': 'lots' }, want: null },
];

for (const { name, files, want } of limits) {
  t.test(`containerLimit() ${name}`, async (t) => {
    const mount = t.testdir({});
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(mount, path)), { recursive: true });
      writeFileSync(join(mount, path), `${text}\n`);
    }
    t.equal(containerLimit({ membership: join(mount, 'self'), mount }), want);
  });
}

t.test('memoryParts() adds every bound up, largest first', async (t) => {
  const bounds = {
    connections: 1_024,
    requests: 2_048,
    streams: 0,
    bodyBytes: 64 * mib,
    answerBytes: 8 * mib,
    callConnections: 160,
    hashes: 1,
    auditBytes: 32 * mib,
    keys: 0,
    buckets: 0,
  };
  const parts = memoryParts(bounds);
  t.match(parts.slice(0, 3), [
    { name: 'the process itself' },
    { name: 'gateway.max_requests_in_progress', bytes: 64 * mib },
    { name: 'gateway.inspect_max_bytes_in_progress', bytes: 64 * mib },
  ]);
  t.equal(
    parts.reduce((sum, { bytes }) => sum + bytes, 0),
    (100 + 12 + 64 + 64 + 8 + 10 + 19 + 32) * mib,
  );
});
