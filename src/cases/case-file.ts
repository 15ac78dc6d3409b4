import { z } from 'zod';
import { checkDocument, readYamlFile, type Problem, type YamlDocument } from '../base/document.js';
import type { Files } from '../base/files.js';
import { no, ok, type Result } from '../base/result.js';
import { auditLevels, limitKeyParts, type Decision, type LimitSpec } from '../model/decision.js';

/** One request and the decision that is wanted for it. */
export interface Case {
  readonly file: string;
  /** Of its name, from 1. */
  readonly line: number;
  readonly name: string;
  /** The policy's input as JSON. */
  readonly inputText: string;
  readonly want: Decision;
}

const positive = z.number().positive();
const limit = z.strictObject({
  id: z.string(),
  key: z.array(z.enum(limitKeyParts)).min(1),
  algorithm: z.enum(['token_bucket', 'sliding_window']),
  rate: positive,
  per: positive,
  burst: positive.nullish(),
  cost: z.number().min(0),
});
const wish = z.strictObject({
  allow: z.boolean().optional(),
  reasons: z.array(z.string()).optional(),
  missing: z.array(z.string()).optional(),
  tier: z.string().optional(),
  limits: z.array(limit).optional(),
  obligations: z
    .strictObject({
      audit: z.enum(auditLevels),
      headers: z.strictObject({}).optional(),
      mask: z.array(z.never()).optional(),
    })
    .optional(),
});
const mapping = z.record(z.string(), z.unknown());
const entry = z.strictObject({
  name: z.string().min(1),
  change: mapping.optional(),
  whole: z.unknown().optional(),
  want: wish.optional(),
});
const caseFile = z.strictObject({
  input: mapping,
  want: wish,
  tiers: z.record(z.string(), z.array(limit)).optional(),
  cases: z.array(entry).min(1),
});

type CaseFile = z.output<typeof caseFile>;
type Entry = z.output<typeof entry>;
type Wish = z.output<typeof wish>;

/** Reads one file of cases. What a case leaves out it takes from the file's own `input` and `want`. */
export async function readCaseFile(file: string, files: Files): Promise<Result<readonly Case[], readonly Problem[]>> {
  const document = await readYamlFile(file, { files });
  if (!document.ok) return document;
  const checked = checkDocument<CaseFile>(caseFile, document.value);
  if (!checked.ok) return checked;
  const problems: Problem[] = [];
  const names = new Set<string>();
  const cases = checked.value.cases.flatMap((each, index) => {
    const read = caseOf(checked.value, each, document.value.at(['cases', index, 'name'], 'name').line);
    const why = names.has(each.name) ? 'a second case has this name' : read.ok ? null : read.why;
    names.add(each.name);
    if (why !== null) problems.push(problemOf(document.value, index, why));
    return read.ok ? [{ file, ...read.value }] : [];
  });
  return problems.length > 0 ? no(problems) : ok(cases);
}

const problemOf = (document: YamlDocument, index: number, message: string): Problem => ({
  file: document.file,
  ...document.at(['cases', index, 'name'], 'name'),
  path: `cases.${String(index)}`,
  message,
});

function caseOf(file: CaseFile, each: Entry, line: number): Result<Omit<Case, 'file'>, string> {
  const isWhole = 'whole' in each;
  if (isWhole && each.change !== undefined)
    return no('holds both "change", which is laid over the input, and "whole", which replaces it; one is wanted');
  const want = wantOf(file, each.want ?? {});
  if (!want.ok) return want;
  const input = isWhole ? each.whole : laidOver(file.input, each.change ?? {});
  return ok({ line, name: each.name, inputText: JSON.stringify(input), want: want.value });
}

/** The case's own wishes over those of the file; limits follow the tier unless the case names them. */
function wantOf(file: CaseFile, own: Wish): Result<Decision, string> {
  const { allow, reasons, missing, tier, limits, obligations } = { ...file.want, ...own };
  const ofTier = tier === undefined ? undefined : file.tiers?.[tier];
  const applied = own.limits ?? ofTier ?? limits;
  if (allow === undefined || reasons === undefined || missing === undefined) return no(incomplete);
  if (tier === undefined || applied === undefined || obligations === undefined) return no(incomplete);
  const { audit } = obligations;
  return ok({
    allow,
    reasons: sorted(reasons),
    missing: sorted(missing),
    tier,
    limits: applied.map(specOf),
    obligations: { audit },
  });
}

const incomplete =
  'does not say the whole decision: allow, reasons, missing, tier, limits (or tiers) and obligations are wanted, here or in the "want" of the file';

const sorted = (texts: readonly string[]): string[] => [...texts].sort();

const specOf = ({ burst, ...rest }: z.output<typeof limit>): LimitSpec => ({ ...rest, burst: burst ?? null });

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Mappings are merged name by name; everything else is replaced. */
function laidOver(base: unknown, change: unknown): unknown {
  if (!isMapping(base) || !isMapping(change)) return change;
  const merged: Record<string, unknown> = { ...base };
  for (const [name, value] of Object.entries(change)) merged[name] = laidOver(base[name], value);
  return merged;
}
