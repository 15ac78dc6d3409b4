import { z } from 'zod';
import { no, ok } from '../base/result.js';
import { readCoverage, readTests } from './answers.js';
import type { GuestHost } from './guest-host.js';
import { decisionRule, opaVersion } from './pin.js';
import type { Answer, Compiler, Explanation, RegoSources, TestReport } from './port.js';
import { compilerProblem, errorForm, errorsForm, plainPath, problemOf } from './problems.js';
import { hasTests, policyOnly, textsOf, type Texts } from './texts.js';
import { stepsOf } from './trace.js';

/** Inputs of one call: their answers are in the guest's memory together. */
const batchMax = 250;

/** What tools/rego-wasm/main.go takes. */
interface Call {
  readonly operation: 'check' | 'format' | 'build' | 'test' | 'evaluate' | 'explain';
  readonly texts: Texts;
  /** JSON; left out for everything that the compiler has. */
  readonly capabilities?: string;
  readonly revision?: string;
  readonly inputs?: readonly string[];
  readonly coverage?: boolean;
}

/** The compiler that memgate brings, in a worker. */
export function createWasm(host: GuestHost): Compiler {
  const over = <T>({ files }: RegoSources, use: (texts: Texts) => Promise<Answer<T>>): Promise<Answer<T>> => {
    const texts = textsOf(files);
    return texts.ok ? use(texts.value) : Promise.resolve(texts);
  };
  return {
    kind: 'wasm',
    version: opaVersion,
    check: async (sources) => {
      const checked = await over(sources, (texts) => check(host, texts, sources.capabilities));
      return checked.ok ? [] : checked.why;
    },
    format: (sources) => over(sources, (texts) => format(host, texts)),
    test: (sources, { coverage }) => over(sources, (texts) => test(host, texts, coverage)),
    build: (sources, { revision }) => over(sources, (texts) => build(host, texts, { ...sources, revision })),
    evaluate: (sources, inputs) => over(sources, (texts) => evaluate(host, texts, { ...sources, inputs })),
    explain: (sources, inputText) => over(sources, (texts) => explain(host, texts, { ...sources, inputText })),
    close: () => host.close(),
  };
}

async function ask<T>(host: GuestHost, form: z.ZodType<T>, { texts, ...call }: Call): Promise<Answer<T>> {
  const said = await host.call(JSON.stringify({ ...call, rule: decisionRule, files: Object.fromEntries(texts) }));
  if (!said.ok) return said;
  const answer: unknown = JSON.parse(said.value);
  const errors = errorsForm.safeParse(answer);
  if (errors.success) return no(errors.data.errors.map(problemOf));
  const read = z.object({ value: form }).safeParse(answer);
  return read.success
    ? ok(read.data.value)
    : no([compilerProblem('compiler_failed', 'the compiler answered in an unknown form')]);
}

async function check(host: GuestHost, texts: Texts, capabilities: string): Promise<Answer<true>> {
  const policy = await ask(host, z.literal(true), { operation: 'check', texts: policyOnly(texts), capabilities });
  return policy.ok && hasTests(texts) ? ask(host, z.literal(true), { operation: 'check', texts }) : policy;
}

async function format(host: GuestHost, texts: Texts): Promise<Answer<ReadonlyMap<string, string>>> {
  const changed = await ask(host, z.record(z.string(), z.string()), { operation: 'format', texts });
  return changed.ok ? ok(new Map(Object.entries(changed.value))) : changed;
}

async function test(host: GuestHost, texts: Texts, coverage: boolean): Promise<Answer<TestReport>> {
  const report = await ask(host, z.record(z.string(), z.unknown()), { operation: 'test', texts, coverage });
  if (!report.ok) return report;
  const tests = readTests(report.value['tests']);
  const covered = readCoverage(report.value['coverage']);
  return tests === null
    ? no([compilerProblem('compiler_failed', 'the compiler reported its tests in an unknown form')])
    : ok({ tests, coverage: covered });
}

async function build(
  host: GuestHost,
  texts: Texts,
  { capabilities, revision }: { readonly capabilities: string; readonly revision: string },
): Promise<Answer<Buffer>> {
  const policy = { texts: policyOnly(texts), capabilities };
  const checked = await ask(host, z.literal(true), { operation: 'check', ...policy });
  if (!checked.ok) return checked;
  const built = await ask(host, z.base64(), { operation: 'build', ...policy, revision });
  return built.ok ? ok(Buffer.from(built.value, 'base64')) : built;
}

const decisionForm = z.object({
  defined: z.boolean(),
  value: z.unknown().optional(),
  errors: z.array(errorForm).default([]),
});

const stepForm = z.object({
  step: z.enum(['enter', 'exit', 'fail']),
  rule: z.string(),
  file: z.string().transform(plainPath),
  row: z.int(),
  times: z.int(),
});

const decided = ({ defined, value = null, errors }: z.output<typeof decisionForm>): Answer<unknown> =>
  errors.length > 0 ? no(errors.map(problemOf)) : ok(defined ? value : undefined);

async function evaluate(
  host: GuestHost,
  texts: Texts,
  { capabilities, inputs }: { readonly capabilities: string; readonly inputs: readonly string[] },
): Promise<Answer<readonly Answer<unknown>[]>> {
  const decisions: Answer<unknown>[] = [];
  const call = { operation: 'evaluate', texts: policyOnly(texts), capabilities } as const;
  for (let from = 0; from < inputs.length; from += batchMax) {
    const batch = await ask(host, z.array(decisionForm), { ...call, inputs: inputs.slice(from, from + batchMax) });
    if (!batch.ok) return batch;
    decisions.push(...batch.value.map(decided));
  }
  return ok(decisions);
}

async function explain(
  host: GuestHost,
  texts: Texts,
  { capabilities, inputText }: { readonly capabilities: string; readonly inputText: string },
): Promise<Answer<Explanation>> {
  const form = decisionForm.extend({ steps: z.array(stepForm).default([]) });
  const inputs = [inputText];
  const explained = await ask(host, form, { operation: 'explain', texts: policyOnly(texts), capabilities, inputs });
  if (!explained.ok) return explained;
  const decision = decided(explained.value);
  return decision.ok ? ok({ value: decision.value, steps: stepsOf(explained.value.steps, texts) }) : decision;
}
