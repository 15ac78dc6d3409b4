import type { ProfileData } from '../resolve/resolve.js';
import { absentText, spaceText, type RouteView } from './view.js';

type McpData = NonNullable<ProfileData['mcp']>;
type RouteData = ProfileData['routes'][number];
type Rule = Pick<McpData['tools'][string], 'action' | 'permission' | 'class' | 'space' | 'absent' | 'empty' | 'stream'>;
type ToolData = McpData['tools'][string];

interface Told {
  readonly rule: Rule;
  readonly notes: readonly string[];
}

/** What the endpoint of an MCP profile lets through: a row for each tool and for each kind of message beside them. */
export function viewTools(data: ProfileData): readonly RouteView[] {
  const { mcp } = data;
  const base = data.routes.find(({ protocol, match }) => protocol === 'mcp' && match.startsWith('POST '));
  if (mcp === undefined || base === undefined) return [];
  const row = (method: string, name: string | null, { rule, notes }: Told): RouteView => {
    const space = rule.space ?? base.space;
    return {
      id: [base.id, ...method.split('/'), ...(name === null ? [] : [name])].join('.'),
      match: name === null ? method : `${method} ${name}`,
      action: rule.action ?? (name === null ? method : `${method}:${name}`),
      permission: rule.permission ?? base.permission,
      class: rule.class ?? base.class,
      space: spaceText(space),
      absent: Array.isArray(space) ? absenceOf(rule, base, data) : null,
      notes: [...notes, ...commonNotes(rule)],
    };
  };
  const { tools, resources, prompts, completion } = mcp;
  return [
    ...Object.entries(tools).map(([name, tool]) => row('tools/call', name, { rule: tool, notes: toolNotes(tool) })),
    ...(resources === undefined
      ? []
      : [row('resources/read', null, { rule: resources, notes: namesNotes(resources.names) })]),
    ...(prompts === undefined ? [] : [row('prompts/get', null, { rule: prompts, notes: namesNotes(prompts.names) })]),
    ...(completion === undefined ? [] : [row('completion/complete', null, { rule: completion, notes: [] })]),
  ];
}

const absenceOf = (rule: Rule, base: RouteData, data: ProfileData): string =>
  absentText(rule.absent ?? base.absent ?? data.space.absent, data);

const commonNotes = ({ empty, stream }: Rule): string[] => [
  ...(empty === 'ALL' ? ['an empty list means every space'] : []),
  ...(stream === undefined ? [] : [`stream: ${stream}`]),
];

const namesNotes = (names: readonly string[] | undefined): string[] =>
  names === undefined ? [] : [`only ${names.join(', ')}`];

const toolNotes = ({ arguments: rules, other_arguments: others }: ToolData): string[] => [
  ...Object.entries(rules).map(([argument, rule]) => `${argument}: ${Object.keys(rule).join(', ')}`),
  ...(others === 'refuse' ? ['no other arguments'] : []),
];
