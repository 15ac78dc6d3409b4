import { isJsonObject, type JsonObject, type JsonTree } from '../base/json-tree.js';
import { parseCarrier } from './carriers.js';
import { foldCase } from './mcp-message.js';
import { scalarText } from './mcp-headers.js';
import type { McpArgument, McpTool } from './mcp-schema.js';
import type { RouteData } from './profile-schema.js';

const inArguments = ['params', 'arguments'];

/** The arguments that carry the space of a call. */
export const statingArguments = (space: RouteData['space']): readonly string[] =>
  (Array.isArray(space) ? space : [])
    .map((text) => parseCarrier(text).pointer)
    .filter((pointer) => inArguments.every((key, at) => pointer[at] === key))
    .flatMap((pointer) => pointer.slice(2, 3));

/** FastMCP reads a text that is JSON where more than a text may stand, so that `"null"` is no space there, and the default one is taken. */
export const isUnstated = (value: JsonTree | undefined): boolean => value === 'null';

const noArguments: JsonObject = new Map();

/** The arguments of a call; null where there is something else in their place. */
export function argumentsOf(params: JsonObject | null): JsonObject | null {
  const held = params?.get('arguments');
  if (held === undefined) return noArguments;
  return isJsonObject(held) ? held : null;
}

/** What is wrong with the arguments of a call, by the rules of its tool; null where nothing is. */
export function argumentProblem(
  given: JsonObject,
  { arguments: rules, other_arguments: others }: McpTool,
): string | null {
  const spelled = new Map(Object.keys(rules).map((name) => [foldCase(name), name]));
  for (const key of given.keys()) {
    const known = spelled.get(foldCase(key));
    if (known !== undefined && known !== key) return `an argument that differs from ${known} only by case`;
    if (known === undefined && others === 'refuse') return 'an argument that the tool does not take';
  }
  for (const [name, rule] of Object.entries(rules)) {
    const wrong = valueProblem(given.get(name), rule);
    if (wrong !== null) return `argument ${name} ${wrong}`;
  }
  return null;
}

function valueProblem(value: JsonTree | undefined, rule: McpArgument): string | null {
  if (value === undefined) return rule.required === true ? 'is missing' : null;
  if (rule.forbidden === true) return 'is forbidden';
  if (rule.values !== undefined && !rule.values.some((wanted) => isSame(value, wanted))) return 'is none of the values';
  const isLong = typeof value !== 'string' || value.length > (rule.max_characters ?? Infinity);
  if ((rule.max_characters !== undefined || rule.shown === true) && isLong) return 'is no text, or too long a one';
  return null;
}

const isSame = (value: JsonTree, wanted: string | number | boolean): boolean =>
  typeof wanted === 'number'
    ? typeof value === 'object' && scalarText(value) !== null && Number(scalarText(value)) === wanted
    : value === wanted;

/** The arguments that the policy sees, by the names under which it sees them. */
export function shownArguments(given: JsonObject, { arguments: rules }: McpTool): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, { shown }] of Object.entries(rules)) {
    const value = shown === true ? given.get(name) : undefined;
    if (typeof value === 'string') found[`argument:${name}`] = value;
  }
  return found;
}
