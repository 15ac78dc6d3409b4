import { join } from 'node:path';
import { loadPolicy, type Policy, type PolicyPorts } from '../authorize/authorize.js';
import type { Clock } from '../base/clock.js';
import type { Problem } from '../base/document.js';
import { fileProblem } from '../base/problem.js';
import { no, type Result } from '../base/result.js';
import { noVerification, readBundle, type Bundle } from '../bundle/bundle.js';
import { readCases, type Case } from '../cases/cases.js';
import type { Compiler, RegoProblem, TestReport } from '../rego/rego.js';
import type { Layout, ReadSources } from './sources.js';

/** What is asked of a policy besides being right. */
export interface Demands {
  /** Share of the rows that the tests must reach. */
  readonly coveragePercentMin: number;
  /** Longest evaluation of the largest hostile input, best of five. */
  readonly budgetMs: number;
}

type Told<T> = Promise<Result<T, readonly Problem[]>>;

/** One set of sources and what becomes of it: each step is done once, when the first check needs it. */
export interface Work {
  readonly layout: Layout;
  readonly sources: ReadSources;
  readonly compiler: Compiler;
  readonly demands: Demands;
  readonly built: () => Told<Buffer>;
  readonly bundle: () => Told<Bundle>;
  /** As a running process would use it, tried on hostile inputs. */
  readonly policy: () => Told<Policy>;
  readonly tested: () => Told<TestReport>;
  readonly cases: () => Told<readonly Case[]>;
}

const nowhere: PolicyPorts['meter'] = {
  policyEvaluation: () => undefined,
  policyError: () => undefined,
  policyInstanceReplaced: () => undefined,
};
const nothing = (): void => undefined;
const silent: PolicyPorts['log'] = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export interface WorkParts extends Pick<Work, 'layout' | 'sources' | 'compiler' | 'demands'> {
  readonly clock: Clock;
}

export function createWork({ layout, sources, compiler, demands, clock }: WorkParts): Work {
  const told = <T>(answer: Result<T, readonly RegoProblem[]>): Result<T, readonly Problem[]> =>
    answer.ok ? answer : no(answer.why.map((problem) => placed(layout, problem)));
  const built = once(async () => told(await compiler.build(sources, { revision: sources.revision })));
  const bundle = once(async () => {
    const bytes = await built();
    return bytes.ok ? readBundle(bytes.value, noVerification, layout.bundleDir) : bytes;
  });
  const policy = once(async (): Told<Policy> => {
    const read = await bundle();
    if (!read.ok) return read;
    const { budgetMs } = demands;
    return loadPolicy(
      { bundle: read.value, bundleFile: layout.bundleDir, dataDir: null, budgetMs },
      { clock, meter: nowhere, log: silent },
    );
  });
  return {
    layout,
    sources,
    compiler,
    demands,
    built,
    bundle,
    policy,
    tested: once(async () => told(await compiler.test(sources, { coverage: true }))),
    cases: once(() => readCases(layout.casesDir)),
  };
}

function once<T>(run: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => (answer ??= run());
}

/** A compiler's problem at its place in the working directory. */
export function placed({ bundleDir }: Layout, { file, row, column, message }: RegoProblem): Problem {
  if (file === '') return fileProblem(bundleDir, message);
  return { file: join(bundleDir, file), line: row, column, path: '', message };
}
