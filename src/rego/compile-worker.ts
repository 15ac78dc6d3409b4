import { writeFileSync } from 'node:fs';
import { messageOf } from '../base/log.js';
import { no } from '../base/result.js';
import { openCompiler } from './open.js';
import type { Answer, Compiler, RegoProblem, RegoSources, RegoTest } from './port.js';
import { compilerProblem } from './problems.js';

export interface AsideQuestion {
  readonly sources: RegoSources;
  readonly revision: string;
  readonly callMs: number;
}

export type AsideAnswer = Answer<Buffer>;

// The whole of a process: one question in, one answer out.
preferOurEnd();
process.once('message', (question: AsideQuestion) => {
  void answer(question).then((answered) => process.send?.(answered, () => process.exit(0)));
});

/** Where the container's memory runs out, this process is to end and not the one that answers requests. */
function preferOurEnd(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', '1000');
  } catch {
    // not on this system
  }
}

async function answer({ sources, revision, callMs }: AsideQuestion): Promise<AsideAnswer> {
  try {
    const compiler = await openCompiler({ bounds: { callMs } });
    if (!compiler.ok) return no([compilerProblem('compiler_failed', compiler.why)]);
    process.once('disconnect', () => {
      void compiler.value.close().finally(() => process.exit(1)); // nobody wants the answer any more
    });
    return await compile(compiler.value, sources, revision);
  } catch (thrown) {
    return no([compilerProblem('compiler_failed', messageOf(thrown))]);
  }
}

async function compile(compiler: Compiler, sources: RegoSources, revision: string): Promise<AsideAnswer> {
  const problems = await compiler.check(sources);
  if (problems.length > 0) return no(problems);
  const report = await compiler.test(sources, { coverage: false });
  if (!report.ok) return report;
  const failures = report.value.tests.flatMap(failuresOf);
  return failures.length > 0 ? no(failures) : compiler.build(sources, { revision });
}

function failuresOf({ status, file, row, problems, cases, ...test }: RegoTest): readonly RegoProblem[] {
  if (status === 'passed' || status === 'skipped') return [];
  const rows = cases.filter(({ passed }) => !passed).map(({ name }) => name);
  const why = problems.map(({ message }) => message);
  const about = [...rows, ...why].join(', ');
  const message = `${test.package}.${test.name} does not pass${about === '' ? '' : `: ${about}`}`;
  return [{ file, row, column: 0, code: 'test_failed', message }];
}
