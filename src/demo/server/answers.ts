import type { FormPair } from './urls.js';
import type { EventHub, StreamName } from './events.js';
import type { Memories, Memory } from './memories.js';
import { defaultSpace, queryValue, type Understood } from './reading.js';

/** What goes back: JSON, text, or a stream. */
export type Answer =
  | { readonly kind: 'json'; readonly status: number; readonly body: Readonly<Record<string, unknown>> }
  | { readonly kind: 'text'; readonly status: number; readonly type: string; readonly body: string }
  | { readonly kind: 'stream'; readonly name: StreamName }
  | { readonly kind: 'invented'; readonly space: string | null };

export interface AnswerContext {
  readonly memories: Memories;
  readonly events: EventHub;
}

type Responder = (request: Understood, space: string, context: AnswerContext) => Answer;

export const json = (status: number, body: Readonly<Record<string, unknown>>): Answer => ({
  kind: 'json',
  status,
  body,
});
export const failure = (status: number, code: string, message: string): Answer =>
  json(status, { error: { code, message } });
const text = (body: string, type = 'text/plain; charset=utf-8'): Answer => ({ kind: 'text', status: 200, type, body });

const shown = ({ id, kind, content, confidence, createdAtMs }: Memory): Record<string, unknown> => ({
  id,
  content,
  memory_type: kind,
  confidence: { value: confidence, category: confidence < 0.7 ? 'Medium' : 'High' },
  created_at: new Date(createdAtMs).toISOString(),
});

function limitOf(query: readonly FormPair[]): number {
  const stated = Number(queryValue(query, 'limit') ?? queryValue(query, 'max_results') ?? 10);
  return Number.isInteger(stated) ? Math.min(100, Math.max(1, stated)) : 10;
}

const found = (request: Understood, space: string, { memories, events }: AnswerContext): Memory[] => {
  const sought = queryValue(request.query, 'q') ?? queryValue(request.query, 'query');
  const limit = limitOf(request.query);
  const hits = sought === undefined ? memories.list(space, limit) : memories.search(space, sought, limit);
  if (space === defaultSpace)
    events.publish({ event: 'memory_recalled', data: { memory_space_id: space, results: hits.length } });
  return hits;
};

function keep(kind: 'memory' | 'episode', field: 'content' | 'what', isIdTaken = true): Responder {
  return ({ fields }, space, { memories, events }) => {
    const content = fields.get(field) as string;
    if (content.trim() === '') return failure(400, 'INVALID_MEMORY_INPUT', 'the content is empty');
    const id = isIdTaken ? (fields.get('id') as string | undefined) : undefined;
    const confidence = (fields.get('confidence') as number | undefined) ?? 0.7;
    const kept = memories.remember(space, { id, kind, content, confidence });
    if (space === defaultSpace)
      events.publish({ event: 'memory_stored', data: { memory_space_id: space, memory_id: kept.id } });
    return json(201, {
      memory_id: kept.id,
      memory_space_id: space,
      status: 'stored',
      confidence,
      created_at: new Date(kept.createdAtMs).toISOString(),
    });
  };
}

const listed: Responder = (request, space, context) => {
  const hits = found(request, space, context).map(shown);
  return json(200, { memories: hits, memory_space_id: space, total: hits.length });
};

const oneOf =
  (kind: string | null): Responder =>
  ({ id }, space, { memories }) => {
    const memory = id === null ? null : memories.get(space, id);
    if (memory === null || (kind !== null && memory.kind !== kind))
      return failure(404, 'MEMORY_NOT_FOUND', 'no such memory in this space');
    return json(200, { ...shown(memory), memory_id: memory.id, memory_space_id: space });
  };

/** The query language, as far as a demonstration needs it: comments, one keyword, and the words to look for. */
const query: Responder = ({ fields }, space, { memories, events }) => {
  const statement = (fields.get('query_text') as string).replaceAll(/#[^\n]*/g, '').trim();
  const [keyword = '', ...rest] = statement.split(/\s+/);
  if (!['RECALL', 'SPREAD', 'PREDICT', 'IMAGINE', 'CONSOLIDATE'].includes(keyword.toUpperCase())) {
    return failure(400, 'INVALID_QUERY', 'the statement starts with no known operation');
  }
  const hits = memories.search(space, rest.join(' '), 10);
  if (keyword.toUpperCase() === 'CONSOLIDATE') {
    memories.remember(space, {
      kind: 'consolidation',
      content: hits.map(({ content }) => content).join('\n'),
      confidence: 0.7,
    });
    if (space === defaultSpace)
      events.publish({ event: 'consolidated', data: { memory_space_id: space, memories: hits.length } });
  }
  return json(200, { episodes: hits.map(shown), memory_space_id: space, total_count: hits.length });
};

const figures = (space: string, memories: Memories): { space: string; memories: number }[] =>
  memories.counts().filter((one) => space === '*' || one.space === space);

/** One function for each answer name of the route table. */
export const responders: Readonly<Record<string, Responder>> = {
  remember: keep('memory', 'content'),
  rememberEpisode: keep('episode', 'what'),
  store: keep('memory', 'content', false),
  list: listed,
  recall: listed,
  search: listed,
  probabilistic: listed,
  get: oneOf(null),
  consolidation: oneOf('consolidation'),
  consolidations: (request, space, { memories }) =>
    json(200, {
      consolidations: memories.list(space, limitOf(request.query), 'consolidation').map(shown),
      memory_space_id: space,
    }),
  query,
  complete: ({ fields }, space, { memories }) => {
    const cue = fields.get('query') ?? fields.get('partial_episode');
    const hits = memories.search(space, typeof cue === 'string' ? cue : JSON.stringify(cue ?? ''), 3);
    return json(200, { completions: hits.map(shown), memory_space_id: space });
  },
  // The real server says that it deleted and does not. This one deletes, by id alone, in whatever space: that is what the route asks for.
  remove: ({ id }, _space, { memories }) =>
    json(200, { memory_id: id, status: 'deleted', deleted: memories.remove(id ?? '') }),
  spaces: (_request, _space, { memories }) =>
    json(200, { spaces: memories.counts().map((one) => ({ id: one.space, memory_count: one.memories })) }),
  createSpace: (_request, space) => json(201, { id: space, memory_space_id: space }),
  streamActivities: () => ({ kind: 'stream', name: 'activities' }),
  streamMemories: () => ({ kind: 'stream', name: 'memories' }),
  streamConsolidation: () => ({ kind: 'stream', name: 'consolidation' }),
  monitor: (request) => ({ kind: 'invented', space: request.space }),
  systemHealth: (_request, space, { memories }) =>
    json(200, {
      status: 'healthy',
      spaces: figures(space, memories).map((one) => ({ space: one.space, status: 'healthy', memories: one.memories })),
    }),
  health: () => json(200, { status: 'healthy' }),
  alive: () => text(''),
  metrics: (_request, _space, { memories }) =>
    json(200, {
      counters: Object.fromEntries(
        memories.counts().map((one) => [`engram_memories_total{memory_space=${one.space}}`, one.memories]),
      ),
    }),
  metricsText: (_request, _space, { memories }) =>
    text(
      `# TYPE engram_memories_total gauge\n${memories
        .counts()
        .map((one) => `engram_memories_total{memory_space="${one.space}"} ${String(one.memories)}\n`)
        .join('')}`,
      'text/plain; version=0.0.4',
    ),
  introspect: (_request, _space, { memories }) => json(200, { spaces: memories.counts().length }),
  compact: (_request, space) => json(200, { status: 'compacted', memory_space_id: space }),
  stub: () => json(200, { status: 'not_supported' }),
  notEnabled: () => failure(501, 'FEATURE_NOT_ENABLED', 'not part of this server'),
  docs: () =>
    text(
      '<!doctype html><title>Memory server</title><p>The HTTP API of a memory server, in small.</p>',
      'text/html; charset=utf-8',
    ),
  openapi: () => json(200, { openapi: '3.1.0', info: { title: 'Memory server', version: '0' }, paths: {} }),
};
