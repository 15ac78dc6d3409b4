import { z } from 'zod';
import type { TraceStep } from './port.js';
import { plainPath } from './problems.js';
import { lineAt, type Texts } from './texts.js';

type Step = Pick<TraceStep, 'step' | 'rule' | 'file' | 'row'> & { readonly times: number };

/** Steps that are equal become one, at the place of the first; each gets its source line. */
export function stepsOf(steps: Iterable<Step>, texts: Texts): readonly TraceStep[] {
  const found = new Map<string, Step>();
  for (const each of steps) {
    const key = JSON.stringify([each.step, each.rule, each.file, each.row]);
    const times = (found.get(key)?.times ?? 0) + each.times;
    found.set(key, { ...each, times });
  }
  return [...found.values()].map((each) => ({ ...each, text: lineAt(texts, each.file, each.row) }));
}

const eventForm = z.object({
  Op: z.string(),
  Node: z.unknown().optional(),
  Location: z.object({ file: z.string(), row: z.int() }).nullish(),
});
const ruleForm = z.object({
  head: z.object({ ref: z.array(z.object({ type: z.string(), value: z.unknown().optional() })).min(1) }),
});
const expressionForm = z.object({ terms: z.unknown().refine((terms) => terms !== undefined) });

/** Events as `opa eval --explain full` writes them; those that no source line has are left out. */
export function* nativeSteps(events: readonly unknown[], texts: Texts): Generator<Step> {
  for (const event of events) {
    const read = eventForm.safeParse(event);
    if (!read.success || read.data.Location == null || read.data.Location.file === '') continue;
    const { Op: op, Node: node, Location: at } = read.data;
    const place = { file: plainPath(at.file), row: at.row, times: 1 };
    const rule = op === 'Enter' || op === 'Exit' ? ruleForm.safeParse(node) : null;
    if (rule?.success === true)
      yield {
        ...place,
        step: op === 'Enter' ? 'enter' : 'exit',
        rule: ruleName(rule.data.head.ref, place.file, texts),
      };
    else if (op === 'Fail' && expressionForm.safeParse(node).success) yield { ...place, step: 'fail', rule: '' };
  }
}

/** A rule's whole name: events tell only what stands in its head. */
function ruleName(ref: readonly { type: string; value?: unknown }[], file: string, texts: Texts): string {
  const packageName = /^package[ \t]+([^\s#]+)/m.exec(texts.get(file) ?? '')?.[1] ?? '';
  const ground = ref.findIndex(({ type }, index) => index > 0 && type !== 'string');
  const parts = (ground === -1 ? ref : ref.slice(0, ground)).map(({ value }) => String(value));
  const [first = '', ...rest] = parts;
  return `data.${packageName}.${first}${rest.map((part) => (/^[A-Za-z_]\w*$/.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`)).join('')}`;
}
