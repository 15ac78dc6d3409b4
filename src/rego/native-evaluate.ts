import { z } from 'zod';
import { no, ok } from '../base/result.js';
import { parsed, placed, type NativeCall } from './native-call.js';
import { decisionRule } from './pin.js';
import type { Answer, Explanation } from './port.js';
import { errorsForm, problemOf } from './problems.js';
import { nativeSteps, stepsOf } from './trace.js';

type Decisions = readonly Answer<unknown>[];

/** Inputs of one run of the program. */
const batchMax = 1_000;

// An error in one evaluation ends the whole run, so an undefined decision must not: it leaves its index out.
const batchQuery = `{index: decision | some index, each in input; decision := ${decisionRule} with input as each}`;

const resultForm = z.object({
  result: z.array(z.object({ expressions: z.array(z.object({ value: z.unknown().optional() })).min(1) })).default([]),
  explanation: z.array(z.unknown()).default([]),
});

export async function evaluateNative(call: NativeCall, inputs: readonly string[]): Promise<Answer<Decisions>> {
  const decisions: Answer<unknown>[] = [];
  for (let from = 0; from < inputs.length; from += batchMax) {
    const batch = await evaluateBatch(call, inputs.slice(from, from + batchMax));
    if (!batch.ok) return batch;
    decisions.push(...batch.value);
  }
  return ok(decisions);
}

/** Where one of several fails, halves tell which. */
async function evaluateBatch(call: NativeCall, inputs: readonly string[]): Promise<Answer<Decisions>> {
  const ran = await evaluate(call, { query: batchQuery, input: `[${inputs.join(',')}]` });
  if (!ran.ok) return ran;
  if (ran.value.ok) {
    const found = z.record(z.string(), z.unknown()).parse(ran.value.value.value);
    return ok(inputs.map((_, index) => ok(found[String(index)])));
  }
  if (inputs.length === 1) return ok([ran.value]);
  const middle = Math.ceil(inputs.length / 2);
  const first = await evaluateBatch(call, inputs.slice(0, middle));
  const second = first.ok ? await evaluateBatch(call, inputs.slice(middle)) : first;
  return first.ok && second.ok ? ok([...first.value, ...second.value]) : second;
}

interface Evaluated {
  readonly value: unknown;
  readonly events: readonly unknown[];
}

/** The outer answer says whether the program ran, the inner one whether the evaluation came to a value. */
async function evaluate(
  call: NativeCall,
  { query, input, trace = false }: { readonly query: string; readonly input: string; readonly trace?: boolean },
): Promise<Answer<Answer<Evaluated>>> {
  const { scratch, opa } = call;
  const how = ['-b', '.', '-I', '--format', 'json', '--capabilities', scratch.capabilities];
  const ran = await opa(['eval', ...how, ...(trace ? ['--explain', 'full'] : []), query], scratch.bundle, input);
  if (!ran.ok) return ran;
  const output = parsed(ran.value.stdout);
  const failed = errorsForm.safeParse(output);
  if (failed.success) return ok(no(failed.data.errors.map(problemOf)));
  const read = resultForm.safeParse(output);
  if (!read.success) return placed(call, ran.value);
  const { result, explanation } = read.data;
  return ok(ok({ value: result[0]?.expressions[0]?.value, events: explanation }));
}

export async function explainNative(call: NativeCall, inputText: string): Promise<Answer<Explanation>> {
  const ran = await evaluate(call, { query: decisionRule, input: inputText, trace: true });
  if (!ran.ok) return ran;
  if (!ran.value.ok) return ran.value;
  const { value, events } = ran.value.value;
  return ok({ value, steps: stepsOf(nativeSteps(events, call.texts), call.texts) });
}
