import type { Shape } from './json-body.js';

/**
 * How a route finds its space. The order of the names is the order of strength.
 * `echo` sends back what the query says and touches no store; `one-or-all` is every space where the query names none.
 */
export type SpaceRule =
  | 'header-query'
  | 'header-body'
  | 'body-header'
  | 'header'
  | 'new-space'
  | 'echo'
  | 'one-or-all'
  | 'all'
  | 'default'
  | 'none';

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly answer: string;
  readonly space: SpaceRule;
  /** Query keys of a route that refuses a key which stands twice. Routes without it take the last one. */
  readonly query?: readonly string[];
  readonly json?: Shape;
}

const searchQuery = ['space', 'q', 'query', 'limit', 'max_results', 'threshold', 'embedding', 'mode', 'offset'];
const memory: Shape = {
  'content!': 'string',
  id: 'string',
  confidence: 'number',
  tags: 'strings',
  embedding: 'numbers',
  memory_space_id: 'string',
  memory_type: 'string',
};
const episode: Shape = {
  'what!': 'string',
  id: 'string',
  when: 'string',
  where_location: 'string',
  who: 'strings',
  confidence: 'number',
  embedding: 'numbers',
  memory_space_id: 'string',
};
const get = (path: string, answer: string, space: SpaceRule): Route => ({ method: 'GET', path, answer, space });
const post = (path: string, answer: string, space: SpaceRule): Route => ({ method: 'POST', path, answer, space });
const once = (route: Route): Route => ({ ...route, query: searchQuery });
const json = (shape: Shape, route: Route): Route => ({ ...route, json: shape });

export const routes: readonly Route[] = [
  json(memory, post('/api/v1/memories/remember', 'remember', 'header-body')),
  json(episode, post('/api/v1/episodes/remember', 'rememberEpisode', 'header-body')),
  json({ 'content!': 'string', confidence: 'number' }, post('/api/v1/memories', 'store', 'header')),
  once(get('/api/v1/memories', 'list', 'header-query')),
  once(get('/api/v1/memories/recall', 'recall', 'header-query')),
  get('/api/v1/memories/search', 'search', 'header-query'),
  get('/api/v1/memories/{id}', 'get', 'header-query'),
  { method: 'DELETE', path: '/api/v1/memories/{id}', answer: 'remove', space: 'all' },
  once(get('/api/v1/query/probabilistic', 'probabilistic', 'header-query')),
  once(get('/api/v1/consolidations', 'consolidations', 'header-query')),
  once(get('/api/v1/consolidations/{id}', 'consolidation', 'header-query')),
  json({ 'query_text!': 'string', memory_space_id: 'string' }, post('/api/v1/query', 'query', 'body-header')),
  json(
    {
      memory_space_id: 'string',
      query: 'string',
      partial_episode: 'anything',
    },
    post('/api/v1/complete', 'complete', 'header-body'),
  ),
  post('/api/v1/memories/recognize', 'stub', 'none'),
  get('/api/v1/episodes/replay', 'stub', 'none'),
  get('/api/v1/spaces', 'spaces', 'all'),
  json({ 'id!': 'string' }, post('/api/v1/spaces', 'createSpace', 'new-space')),
  get('/api/v1/stream/activities', 'streamActivities', 'default'),
  get('/api/v1/stream/memories', 'streamMemories', 'default'),
  get('/api/v1/stream/consolidation', 'streamConsolidation', 'default'),
  ...['monitoring', 'monitor'].flatMap((name) =>
    ['events', 'activations', 'causality'].map((kind) => get(`/api/v1/${name}/${kind}`, 'monitor', 'echo')),
  ),
  get('/api/v1/system/health', 'systemHealth', 'one-or-all'),
  get('/health', 'health', 'none'),
  get('/health/alive', 'alive', 'none'),
  get('/health/spreading', 'health', 'none'),
  get('/metrics', 'metrics', 'all'),
  get('/metrics/prometheus', 'metricsText', 'all'),
  get('/api/v1/system/introspect', 'introspect', 'all'),
  get('/api/v1/system/spreading/config', 'stub', 'none'),
  post('/api/v1/maintenance/compact', 'compact', 'default'),
  get('/cluster/health', 'notEnabled', 'none'),
  get('/cluster/nodes', 'notEnabled', 'none'),
  get('/cluster/rebalance', 'notEnabled', 'none'),
  post('/cluster/rebalance', 'notEnabled', 'none'),
  post('/cluster/migrate', 'notEnabled', 'none'),
  post('/shutdown', 'notEnabled', 'none'),
  get('/docs', 'docs', 'none'),
  get('/docs/', 'docs', 'none'),
  get('/docs/{*path}', 'docs', 'none'),
  get('/api-docs/openapi.json', 'openapi', 'none'),
  get('/api-docs/openapi.yaml', 'openapi', 'none'),
];

export interface Found {
  readonly route: Route;
  /** Raw segment of `{id}`. */
  readonly id: string | null;
}

/** Finds a route by its raw path, fixed segments before parameters; a list of methods where only those exist there. */
export function findRoute(method: string, path: string): Found | readonly string[] {
  const fitting = routes.filter((route) => fits(route.path, path));
  const fixed = fitting.filter((route) => !route.path.includes('{'));
  const candidates = fixed.length > 0 ? fixed : fitting;
  const route = candidates.find((one) => one.method === (method === 'HEAD' ? 'GET' : method));
  if (route === undefined) return candidates.map((one) => one.method);
  return { route, id: route.path.endsWith('{id}') ? path.slice(path.lastIndexOf('/') + 1) : null };
}

function fits(template: string, path: string): boolean {
  if (template.endsWith('/{*path}')) return path.startsWith(template.slice(0, -7)) && path.length > template.length - 7;
  if (!template.endsWith('/{id}')) return template === path;
  const prefix = template.slice(0, -4);
  return path.startsWith(prefix) && path.length > prefix.length && !path.includes('/', prefix.length);
}
