import { routeOf } from './mcp-rules.js';
import type { McpRule } from './mcp-schema.js';
import type { ProfileData, RouteData } from './profile-schema.js';

type Path = readonly (string | number)[];
/** Takes a problem: where in the document, and what is wanted there. */
type Tell = (path: Path, message: string) => void;

const methodOf = ({ match }: RouteData): string => match.slice(0, match.indexOf(' '));

/** A rule of the `mcp` section as the route that it makes, to be checked like any other. */
export interface RuleRoute {
  readonly path: Path;
  readonly route: RouteData;
}

/** How the `mcp` section does not fit with the routes. @returns its rules, as routes */
export function mcpProblems({ mcp, routes }: ProfileData, tell: Tell): readonly RuleRoute[] {
  const endpoints = routes.flatMap((route, index) => (route.protocol === 'mcp' ? [{ route, index }] : []));
  for (const { route, index } of endpoints) {
    if (mcp === undefined)
      tell(['routes', index, 'protocol'], 'mcp needs the section mcp, with the tools that may be called');
    if (!['POST', 'GET', 'DELETE'].includes(methodOf(route)))
      tell(['routes', index, 'protocol'], 'mcp goes with POST, GET and DELETE');
    if (methodOf(route) === 'POST' && (route.body !== 'json' || route.body_rules.length > 0))
      tell(['routes', index, 'body'], 'mcp needs body: json without body_rules');
  }
  const post = endpoints.find(({ route }) => methodOf(route) === 'POST')?.route;
  if (mcp === undefined) return [];
  if (post === undefined) {
    tell(['mcp'], 'needs a route with protocol: mcp and the method POST');
    return [];
  }
  for (const [name, { arguments: rules, headers }] of Object.entries(mcp.tools)) {
    const folded = Object.keys(headers).map((header) => header.toLowerCase());
    if (new Set(folded).size !== folded.length) tell(['mcp', 'tools', name, 'headers'], 'names one header twice');
    const spelled = Object.keys(rules).map((argument) => argument.toLowerCase());
    if (new Set(spelled).size !== spelled.length)
      tell(['mcp', 'tools', name, 'arguments'], 'names one argument twice, in another case');
  }
  return rulesOf(mcp).flatMap(({ path, rule }) =>
    rule.space === undefined && rule.absent === undefined && rule.empty === undefined
      ? []
      : [{ path: ['mcp', ...path], route: routeOf(post, rule) }],
  );
}

function rulesOf({ tools, methods, resources, prompts, completion }: NonNullable<ProfileData['mcp']>): {
  readonly path: Path;
  readonly rule: McpRule;
}[] {
  return [
    ...Object.entries(tools).map(([name, rule]) => ({ path: ['tools', name], rule })),
    ...Object.entries(methods).flatMap(([name, rule]) => (rule === 'deny' ? [] : [{ path: ['methods', name], rule }])),
    ...Object.entries({ resources, prompts, completion }).flatMap(([name, rule]) =>
      rule === undefined ? [] : [{ path: [name], rule }],
    ),
  ];
}
