import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { inPackage } from './support/environment.js';
import { Ledger } from './support/ledger.js';
import { growth, slope } from './support/process-watch.js';
import { timeQuantile, unexcused, type Miss } from './support/traffic.js';

type Named = Readonly<Record<'id' | 'promise' | 'ok', string>>;
const { mergeFigures } = (await import(inPackage('scripts/faults/figures.mjs'))) as {
  mergeFigures(before: readonly Named[], added: readonly Named[]): readonly Named[];
};

const allow = (id: string): string =>
  `{"seq":1,"time":"x","prev":"x","type":"authorization.allowed","severity":"info","id":"${id}","route":"memories.recall"}\n`;
const outcome = (id: string, reason: string | null): string =>
  `{"seq":2,"type":"memory.completed","severity":"info","id":"${id}","status":200,"not_forwarded":${JSON.stringify(reason)}}\n`;
const lost = '{"seq":3,"type":"system.audit-lost","severity":"critical","count":1,"by_type":{"memory.completed":1}}\n';
const failure = (segment: string, bytes: number): string =>
  `{"seq":1,"type":"system.segment-started","severity":"info","format":1,"segment":"audit-2.jsonl","reason":"failure","previous":{"segment":"${segment}","bytes":${bytes},"seq":1,"hash":"x"}}\n`;

interface Book {
  readonly ledger: Ledger;
  write(text: string, segment?: number): void;
}

function book(t: Test): Book {
  const dir = mkdtempSync(join(tmpdir(), 'memgate-ledger-'));
  t.teardown(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  writeFileSync(join(dir, 'audit-1.jsonl'), '');
  return {
    ledger: new Ledger(dir),
    write: (text, segment = 1) => {
      appendFileSync(join(dir, `audit-${segment}.jsonl`), text);
    },
  };
}

const ledgers: readonly { readonly name: string; readonly want: RegExp | null; readonly run: (b: Book) => void }[] = [
  {
    name: 'is content with a record, a request and an outcome',
    want: null,
    run: ({ ledger, write }) => {
      write(allow('A').slice(0, 40));
      ledger.read();
      write(allow('A').slice(40));
      ledger.arrived('A');
      write(outcome('A', null));
    },
  },
  {
    name: 'finds a request without a record',
    want: /^A went upstream without an allow record/,
    run: ({ ledger }) => {
      ledger.arrived('A');
    },
  },
  {
    name: 'finds a record that comes after its request',
    want: /^A went upstream without an allow record/,
    run: ({ ledger, write }) => {
      ledger.arrived('A');
      write(allow('A') + outcome('A', null));
    },
  },
  {
    name: 'finds a request that came twice',
    want: /^A went upstream without an allow record of its own/,
    run: ({ ledger, write }) => {
      write(allow('A'));
      ledger.arrived('A');
      ledger.arrived('A');
      write(outcome('A', null));
    },
  },
  {
    name: 'finds an allowed request of which nothing is known',
    want: /^A was allowed, and nothing tells/,
    run: ({ write }) => {
      write(allow('A'));
    },
  },
  {
    name: 'finds a request that its outcome denies',
    want: /^A went upstream, and its outcome says not_forwarded/,
    run: ({ ledger, write }) => {
      write(allow('A'));
      ledger.arrived('A');
      write(outcome('A', 'client.left'));
    },
  },
  {
    name: 'takes what the network delivers late, once',
    want: null,
    run: ({ ledger, write }) => {
      write(allow('A') + outcome('A', null));
      ledger.read();
      ledger.arrived('A');
    },
  },
  {
    name: 'takes what the network delivers late, though nothing was read in between',
    want: null,
    run: ({ ledger, write }) => {
      write(allow('A') + outcome('A', null));
      ledger.arrived('A');
    },
  },
  {
    name: 'takes a lost outcome that the log tells of',
    want: null,
    run: ({ ledger, write }) => {
      write(allow('A'));
      ledger.arrived('A');
      write(lost);
    },
  },
  {
    name: 'forgets what a failed batch left behind',
    want: null,
    run: ({ write }) => {
      write(allow('A'));
      write(failure('audit-1.jsonl', 0), 2);
    },
  },
  {
    name: 'finds a request that went upstream on a batch that failed',
    want: /^A went upstream on a record that was not durable/,
    run: ({ ledger, write }) => {
      write(allow('A'));
      ledger.arrived('A');
      write(failure('audit-1.jsonl', 0) + outcome('A', null), 2);
    },
  },
];
for (const { name, want, run } of ledgers) {
  t.test(`Ledger ${name}`, async (t) => {
    const one = book(t);
    run(one);
    one.ledger.finish();
    if (want === null) t.strictSame(one.ledger.problems, []);
    else t.match(one.ledger.problems[0], want);
  });
}

t.test('slope() sees a leak under teeth, and none where there is none', async (t) => {
  const teeth = (leakPerSecond: number): { atS: number; value: number }[] =>
    Array.from({ length: 180 }, (_, n) => ({ atS: n * 10, value: 150 + ((n * 7) % 20) + leakPerSecond * n * 10 }));
  t.ok(Math.abs(slope(teeth(0)) * 600) < 0.2);
  t.ok(Math.abs(slope(teeth(0.005)) * 600 - 3) < 0.3, '3 MiB in 10 minutes');
});

t.test('growth() is that between the first and the last third', async (t) => {
  t.equal(growth([1, 9, 1, 4, 4, 4, 6, 6, 60]), 5);
});

t.test('unexcused() excuses what a window explains, and never a yes', async (t) => {
  const miss = (fromMs: number, status: number): Miss => ({
    kind: 'read',
    what: '',
    fromMs,
    toMs: fromMs + 10,
    status,
  });
  const windows = [{ name: 'x', fromMs: 100, toMs: 200, may: [0, 502] }];
  const misses = [miss(95, 502), miss(150, 0), miss(199, 502), miss(201, 502), miss(80, 502), miss(150, 200)];
  t.strictSame(unexcused(misses, windows), [miss(201, 502), miss(80, 502), miss(150, 200)]);
});

t.test('timeQuantile() reads the table of times', async (t) => {
  const times = new Uint32Array(100);
  times[9] = 98;
  times[49] = 2;
  t.equal(timeQuantile(times, 0.5), 1);
  t.equal(timeQuantile(times, 0.99), 5);
});

t.test('mergeFigures() lays the new over the old, and keeps the others', async (t) => {
  const old = [
    { id: 'R10', promise: 'a', ok: 'no' },
    { id: 'R9', promise: 'b', ok: 'yes' },
  ];
  t.strictSame(mergeFigures(old, [{ id: 'R10', promise: 'a', ok: 'yes' }]), [
    { id: 'R9', promise: 'b', ok: 'yes' },
    { id: 'R10', promise: 'a', ok: 'yes' },
  ]);
});
