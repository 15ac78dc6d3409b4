import { join } from 'node:path';
import t from 'tap';

const { failedFilesIn, failuresIn, partOf, totalsIn } = (await import(
  join(process.cwd(), 'scripts/tap-output.mjs')
)) as {
  failedFilesIn(output: string): string[];
  failuresIn(output: string): string[];
  partOf(output: string, file: string): string;
  totalsIn(output: string): { passed: number; failed: number };
};

// As `tap run --reporter=tap` of tap 21.8.0 has written it, shortened. A run within a run would share its directory.
const good = `# Subtest: test/good.test.ts
    ok 1 - fine
    ok 2 - fine too
    1..2
    # time=18.1ms
ok 1 - test/good.test.ts # time=18.1ms
`;
const bad = `# Subtest: test/bad.test.ts
    ok 1 - fine
    # Subtest: inner
        not ok 1 - one is two
          ---
          compare: ===
          diff: |
            --- expected
            +++ actual
            @@ -1,1 +1,1 @@
            -2
            +1
          ...
        
        1..1
    not ok 2 - inner # time=12.0ms
      ---
      at:
        fileName: test/bad.test.ts
      ...
    
    1..2
    # time=41.5ms
not ok 2 - test/bad.test.ts # time=41.5ms
  ---
  exitCode: 1
  signal: null
  ...
`;
const broken = `# Subtest: test/broken.test.ts
    # Subtest: thrown
        not ok 1 - it broke
          ---
          tapCaught: testFunctionThrow
          ...
        
        1..1
    not ok 1 - thrown # time=32.036ms
      ---
      at:
        fileName: test/broken.test.ts
      ...
    
    1..1
    # time=54.9ms
not ok 3 - test/broken.test.ts # time=54.9ms
  ---
  exitCode: 1
  signal: null
  ...
`;
const ending = (totals: string): string => `# No coverage generated\n# { ${totals} }\n# time=1917.488ms\n`;

t.test('the runner tells which files failed, and why', (t) => {
  const output = `TAP version 14\n${[good, bad, broken].join('\n')}\n${ending('total: 5, pass: 3, fail: 2')}`;
  t.strictSame(failedFilesIn(output), ['test/bad.test.ts', 'test/broken.test.ts']);
  t.strictSame(totalsIn(output), { passed: 3, failed: 2 });

  const all = failuresIn(output).join('\n');
  t.match(all, /not ok 1 - one is two\n +---\n +compare: ===\n/, 'with its reason');
  t.match(all, /it broke/);
  t.match(all, /not ok 3 - test\/broken\.test\.ts/);
  t.notMatch(all, /ok \d+ - fine/, 'nothing of what passed');

  const part = failuresIn(partOf(output, 'test/bad.test.ts')).join('\n');
  t.match(part, /not ok \d+ - test\/bad\.test\.ts/, 'to the end of its part');
  t.match(part, /one is two/);
  t.notMatch(part, /it broke/, 'of one file alone');
  t.end();
});

t.test('and when none did', (t) => {
  const output = `TAP version 14\n${good}\n${ending('total: 2, pass: 2')}`;
  t.strictSame(failedFilesIn(output), []);
  t.strictSame(failuresIn(output), []);
  t.strictSame(totalsIn(output), { passed: 2, failed: 0 });
  t.strictSame(totalsIn('it was killed'), { passed: 0, failed: 0 });
  t.end();
});

t.test('much that failed is cut, and says so', (t) => {
  const lines = failuresIn(Array.from({ length: 900 }, (_, n) => `not ok ${n} - x`).join('\n'));
  t.equal(lines.length, 401);
  t.equal(lines.at(-1), '… 500 lines more');
  t.end();
});
