import { parseDecision, undefinedDecision } from '../authorize/authorize.js';
import { no, ok, type Result } from '../base/result.js';
import type { Problem } from '../base/document.js';
import { describeFailure, runCases, type Case, type CaseFailure } from '../cases/cases.js';
import type { Decision } from '../model/decision.js';
import { itemsFrom, type Found } from './found.js';
import type { ReportedDifference } from './report.js';
import { placed, type Work } from './work.js';

type Evaluator = ReportedDifference['evaluator'];
type Evaluate = (inputText: string) => Decision;

/** Every case through one of the two evaluators, which differ in corners. */
export async function caseCheck(work: Work, evaluator: Evaluator): Promise<Found> {
  const cases = await work.cases();
  if (!cases.ok) return { items: itemsFrom('cases', cases.why), note: '' };
  const evaluate = evaluator === 'compiler' ? await byCompiler(work, cases.value) : await byWasm(work);
  if (!evaluate.ok) return { items: itemsFrom('cases', evaluate.why), note: '' };
  const failures = await runCases(cases.value, evaluate.value);
  const wrong = new Map(failures.map((failure) => [failure.case, failure]));
  const items = cases.value.map((each) => {
    const failure = wrong.get(each);
    return { name: `${each.file}: ${each.name}`, problem: failure === undefined ? null : describeFailure(failure) };
  });
  return {
    items,
    note: `${cases.value.length} cases`,
    differences: failures.flatMap((failure) => rowsOf(evaluator, failure)),
  };
}

async function byWasm({ policy }: Work): Promise<Result<Evaluate, readonly Problem[]>> {
  const loaded = await policy();
  return loaded.ok ? ok((text) => loaded.value.tryOut(text)) : loaded;
}

/** All at once: the compiler is started for them once. */
async function byCompiler(
  { compiler, sources, layout }: Work,
  cases: readonly Case[],
): Promise<Result<Evaluate, readonly Problem[]>> {
  const texts = [...new Set(cases.map(({ inputText }) => inputText))];
  const answers = await compiler.evaluate(sources, texts);
  if (!answers.ok) return no(answers.why.map((problem) => placed(layout, problem)));
  const byText = new Map(texts.map((text, index) => [text, answers.value[index]]));
  return ok((text) => {
    const answer = byText.get(text);
    if (answer === undefined) throw new Error('the compiler gave no answer');
    if (!answer.ok) throw new Error(answer.why.map(({ message }) => message).join('; '));
    return answer.value === undefined ? undefinedDecision : parseDecision([{ result: answer.value }]);
  });
}

function rowsOf(evaluator: Evaluator, { case: each, differences, thrown }: CaseFailure): ReportedDifference[] {
  const { file, line, name } = each;
  const row = { evaluator, case: name, file, line };
  if (thrown !== null) return [{ ...row, field: 'decision', wanted: 'one', got: thrown }];
  return differences.map(({ field, wanted, got }) => ({ ...row, field, wanted, got }));
}
