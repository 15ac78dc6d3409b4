import { isIP } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import { checkDocument, readYamlFile, type Problem, type YamlDocument } from '../base/document.js';
import { diskFiles, type Files } from '../base/files.js';
import { no, ok, type Result } from '../base/result.js';
import { limitKeyParts } from '../model/decision.js';
import { permissions } from '../model/permissions.js';

const name = z.string().regex(/^[a-z][a-z0-9_-]{0,63}$/, 'must be lower-case letters, digits, _ and -, at most 64');
const spaceName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, 'must be a plain name of at most 128 characters');
const isTrue = z.literal(true, { error: 'must be true; leave a name out to take it away' });
const permissionSet = z.partialRecord(z.enum(permissions), isTrue);
const toolName = z.string().regex(/^[A-Za-z0-9_.:/-]{1,96}$/, 'must be the name of a tool, or an action');
const toolSet = z.record(toolName, isTrue);
const positive = z.number().positive().max(1_000_000_000);
const cidr = z.string().refine(isCidr, 'must be ADDRESS/BITS, such as 10.0.0.0/8');

const limit = {
  id: name,
  key: z.array(z.enum(limitKeyParts)).min(1),
  rate: positive,
  per: positive,
  cost: z.number().min(0).max(1_000_000_000),
};
const limits = z.array(
  z.discriminatedUnion(
    'algorithm',
    [
      z.strictObject({ ...limit, algorithm: z.literal('token_bucket'), burst: positive }),
      z.strictObject({ ...limit, algorithm: z.literal('sliding_window') }),
    ],
    { error: 'must be token_bucket or sliding_window' },
  ),
);

/** Data that the policy room itself understands, by top-level name. */
export const dataSchemas = {
  roles: z.record(name, z.strictObject({ permissions: permissionSet })),
  tiers: z.record(name, z.strictObject({ limits: limits.max(16) })),
  spaces: z.strictObject({ known: z.record(spaceName, isTrue) }),
  defaults: z.strictObject({ permissions: permissionSet, tier: name }),
  changes: z.strictObject({ actions: z.record(z.string().min(1), isTrue), permissions: permissionSet }),
  tools: z.strictObject({
    roles: z.record(name, toolSet),
    subjects: z.record(z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be the id of a key or a token'), toolSet),
    blocked: toolSet,
    arguments: z.record(toolName, z.record(z.string().regex(/^[A-Za-z0-9_$.-]{1,64}$/), z.record(z.string(), isTrue))),
  }),
  networks: z.record(name, z.array(cidr).max(1_000)),
} as const;

type DataName = keyof typeof dataSchemas;
export type PolicyData = { readonly [K in DataName]?: z.output<(typeof dataSchemas)[K]> } & Readonly<
  Record<string, unknown>
>;

const isDataName = (text: string): text is DataName => Object.hasOwn(dataSchemas, text);

function isCidr(text: string): boolean {
  const [address = '', bits = '', ...rest] = text.split('/');
  const version = isIP(address);
  return rest.length === 0 && version !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
}

/** The bundle's own data, with each part replaced for which the directory holds `NAME.yaml`; all problems at once. */
export async function effectiveData(
  bundle: { readonly file: string; readonly data: Readonly<Record<string, unknown>> },
  directory: string | null,
  files: Files = diskFiles,
): Promise<Result<PolicyData, readonly Problem[]>> {
  const problems: Problem[] = [];
  const data: Record<string, unknown> = {};
  for (const [part, value] of Object.entries(bundle.data)) {
    data[part] = value;
    if (isDataName(part)) problems.push(...bundleProblems(bundle.file, part, value));
  }
  const replaced = directory === null ? [] : await replacements({ directory, files }, problems);
  for (const { part, value } of replaced) data[part] = value;
  const tools = replaced.find(({ part }) => part === 'tools')?.document ?? null;
  if (problems.length === 0) problems.push(...unknownRoles(data, bundle.file, tools));
  return problems.length > 0 ? no(problems) : ok(data as PolicyData);
}

/** A list of tools limits a role. Under a name that is none it would limit nobody, and nobody would notice. */
function unknownRoles({ roles = {}, tools }: PolicyData, bundleFile: string, document: YamlDocument | null): Problem[] {
  const unknown = Object.keys(tools?.roles ?? {}).filter((role) => !Object.hasOwn(roles, role));
  const known = Object.keys(roles).sort().join(', ');
  return unknown.map((role) => ({
    ...(document === null
      ? { file: bundleFile, line: 0, column: 0, path: `tools.roles.${role}` }
      : { file: document.file, ...document.at(['roles', role]), path: `roles.${role}` }),
    message: `is the name of no role; wanted one of ${known}`,
  }));
}

function bundleProblems(file: string, part: DataName, value: unknown): Problem[] {
  const checked = dataSchemas[part].safeParse(value);
  if (checked.success) return [];
  return checked.error.issues.map((issue) => ({
    file,
    line: 0,
    column: 0,
    path: [part, ...issue.path].map(String).join('.'),
    message: issue.message,
  }));
}

interface Replacement {
  readonly part: string;
  readonly value: unknown;
  readonly document: YamlDocument;
}

interface DataPlace {
  readonly directory: string;
  readonly files: Files;
}

async function replacements({ directory, files }: DataPlace, problems: Problem[]): Promise<Replacement[]> {
  const found: Replacement[] = [];
  const whole = (file: string, message: string): number =>
    problems.push({ file, line: 0, column: 0, path: '', message });
  const listed = await files.names(directory);
  if (!listed.ok) {
    whole(directory, listed.why);
    return found;
  }
  const names = listed.value;
  for (const fileName of names.filter((each) => /^[^.].*\.(?:yml|json)$/i.test(each)))
    whole(join(directory, fileName), 'is not read: policy data is NAME.yaml');
  // ConfigMap volumes hold links whose names begin with two dots; other files there are somebody's own.
  for (const fileName of names.filter((each) => each.endsWith('.yaml') && !each.startsWith('.'))) {
    const file = join(directory, fileName);
    const part = fileName.slice(0, -'.yaml'.length);
    if (!isDataName(part)) {
      whole(file, `no policy data is called "${part}"; wanted one of ${Object.keys(dataSchemas).join(', ')}`);
      continue;
    }
    const checked = await readPart(file, part, files);
    if (checked.ok) found.push({ part, ...checked.value });
    else problems.push(...checked.why);
  }
  return found;
}

async function readPart(
  file: string,
  part: DataName,
  files: Files,
): Promise<Result<Omit<Replacement, 'part'>, readonly Problem[]>> {
  const document = await readYamlFile(file, { files });
  if (!document.ok) return document;
  const value = checkDocument<unknown>(dataSchemas[part], document.value);
  return value.ok ? ok({ value: value.value, document: document.value }) : value;
}

/** JSON with sorted keys: one text for one content, for the engine and for the digest. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
}
