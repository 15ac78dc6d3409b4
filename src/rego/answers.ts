import { z } from 'zod';
import type { Coverage, RegoTest } from './port.js';
import { errorForm, locationForm, plainPath, problemOf } from './problems.js';

// Both forms of the compiler write these two documents with the same library, so one reader serves both.

interface Rows {
  readonly fail?: boolean | undefined;
  readonly sub_results?: Readonly<Record<string, Rows>> | undefined;
}

const rows: z.ZodType<Rows> = z.lazy(() =>
  z.object({ fail: z.boolean().optional(), sub_results: z.record(z.string(), rows).optional() }),
);

const testForm = z.object({
  package: z.string(),
  name: z.string(),
  location: locationForm.nullish(),
  fail: z.boolean().default(false),
  skip: z.boolean().default(false),
  output: z.base64().default(''),
  error: errorForm.partial({ message: true }).nullish(),
  sub_results: z.record(z.string(), rows).nullish(),
});

/** The report of all tests, as `opa test --format json` writes it; null for anything else. */
export function readTests(value: unknown): readonly RegoTest[] | null {
  const read = z.array(testForm).nullable().safeParse(value);
  return read.success ? (read.data ?? []).map(testOf).sort(byPlace) : null;
}

/** They come in the order in which they ended. */
const byPlace = (one: RegoTest, other: RegoTest): number =>
  one.file === other.file ? one.row - other.row : one.file < other.file ? -1 : 1;

function testOf(test: z.output<typeof testForm>): RegoTest {
  const { error, location, sub_results: nested } = test;
  return {
    package: test.package,
    name: test.name,
    status: error != null ? 'broken' : test.skip ? 'skipped' : test.fail ? 'failed' : 'passed',
    file: plainPath(location?.file ?? ''),
    row: location?.row ?? 0,
    output: Buffer.from(test.output, 'base64').toString(),
    cases: nested == null ? [] : casesOf(nested, ''),
    problems: error == null ? [] : [problemOf({ ...error, message: error.message ?? 'broke off' })],
  };
}

/** Rows of a table test may be nested; the innermost count. */
const casesOf = (table: Readonly<Record<string, Rows>>, prefix: string): RegoTest['cases'] =>
  Object.entries(table).flatMap(([name, { fail = false, sub_results: nested }]) =>
    nested === undefined ? [{ name: `${prefix}${name}`, passed: !fail }] : casesOf(nested, `${prefix}${name}/`),
  );

const range = z.object({ start: z.object({ row: z.int() }), end: z.object({ row: z.int() }) });
const coverageForm = z.object({
  coverage: z.number(),
  files: z.record(z.string(), z.object({ coverage: z.number().default(0), not_covered: z.array(range).nullish() })),
});

/** The report of what the tests have run, as `opa test --coverage` writes it; null for anything else. */
export function readCoverage(value: unknown): Coverage | null {
  const read = coverageForm.safeParse(value);
  if (!read.success) return null;
  const files = Object.entries(read.data.files).map(([path, { coverage, not_covered: missed }]) => {
    // A row with several expressions comes several times.
    const ranges = new Map(
      (missed ?? []).map(({ start, end }) => [`${start.row} ${end.row}`, [start.row, end.row] as const]),
    );
    return [plainPath(path), { percent: coverage, missed: [...ranges.values()] }] as const;
  });
  return { percent: read.data.coverage, files: new Map(files.sort(([a], [b]) => (a < b ? -1 : 1))) };
}

export const allPassed = (tests: readonly RegoTest[]): boolean =>
  tests.every(({ status }) => status === 'passed' || status === 'skipped');
