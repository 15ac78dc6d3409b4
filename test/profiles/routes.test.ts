import t from 'tap';
import { readBuiltIn } from '../../src/profiles/profiles.js';
import { compileProfile } from '../../src/resolve/resolve.js';

const built = await readBuiltIn();
const profiles = new Map(
  (built.ok ? built.value : []).map((data) => [data.name, { data, table: compileProfile(data).table }] as const),
);
const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

/** Id of the route that a request meets, or null. */
function routeOf(name: string, method: string, path: string): string | null {
  const found = profiles.get(name)?.table.find(method, path);
  return found !== undefined && found !== null && 'value' in found ? found.value.data.id : null;
}

// What is known of each server, request by request: the route that it is, or `-` where nobody may call it.
const wanted: Readonly<Record<string, string>> = {
  engram: `
    POST /api/v1/memories/remember memories.remember
    POST /api/v1/episodes/remember episodes.remember
    POST /api/v1/memories memories.store
    GET /api/v1/memories memories.list
    GET /api/v1/memories/recall memories.recall
    GET /api/v1/memories/search memories.search
    GET /api/v1/query/probabilistic query.probabilistic
    GET /api/v1/consolidations consolidations.list
    GET /api/v1/consolidations/c1 consolidations.get
    GET /api/v1/memories/m1 memories.get
    DELETE /api/v1/memories/m1 memories.delete
    POST /api/v1/query query.run
    POST /api/v1/complete memories.complete
    POST /api/v1/memories/recognize memories.recognize
    GET /api/v1/episodes/replay episodes.replay
    GET /api/v1/spaces spaces.list
    POST /api/v1/spaces spaces.create
    POST /cluster/migrate cluster.migrate
    GET /cluster/rebalance cluster.rebalance-status
    POST /cluster/rebalance cluster.rebalance
    POST /api/v1/maintenance/compact maintenance.compact
    POST /shutdown shutdown
    GET /api/v1/stream/activities stream.activities
    GET /api/v1/stream/memories stream.memories
    GET /api/v1/stream/consolidation stream.consolidation
    GET /api/v1/monitoring/events monitoring.events
    GET /api/v1/monitoring/activations monitoring.activations
    GET /api/v1/monitoring/causality monitoring.causality
    GET /api/v1/monitor/events monitor.events
    GET /api/v1/monitor/activations monitor.activations
    GET /api/v1/monitor/causality monitor.causality
    GET /api/v1/system/health system.health
    GET /health health
    GET /health/alive health.alive
    GET /health/spreading health.spreading
    GET /cluster/health cluster.health
    GET /cluster/nodes cluster.nodes
    GET /metrics metrics.json
    GET /metrics/prometheus metrics.prometheus
    GET /api/v1/system/introspect system.introspect
    GET /api/v1/system/spreading/config system.spreading-config
    GET /docs docs
    GET /docs/ docs.index
    GET /docs/a/b docs.page
    GET /api-docs/openapi.json docs.openapi-json
    GET /api-docs/openapi.yaml docs.openapi-yaml
    GET /api/v1/memories/ -
    PUT /api/v1/memories/m1 -`,
  memoric: `
    GET /memories memories.list
    POST /memories memories.store
    GET /clusters clusters.list
    GET / root
    GET /health health
    GET /ready ready
    GET /health/detailed health.detailed
    GET /metrics metrics
    POST /policies/run -
    GET /audit/logs -
    GET /audit/logs/user/2 -
    GET /audit/logs/security -
    GET /audit/statistics -
    GET /audit/events/types -
    GET /audit/severity/levels -
    POST /auth/register -
    POST /auth/login -
    GET /auth/me -
    POST /auth/change-password -
    POST /auth/logout -
    GET /auth/users/alice -
    GET /memories/ -
    DELETE /memories -`,
  soma: `
    POST /memories memories.store
    GET /memories/1,2 memories.get
    DELETE /memories/1,2 memories.delete
    GET /memories/search memories.search
    POST /memories/search memories.query
    POST /graph/link graph.link
    GET /graph/neighbors graph.neighbors
    GET /graph/path graph.path
    GET /health health
    GET /test-stats test-stats
    GET /stats stats
    GET /metrics metrics
    GET /healthz healthz
    GET /readyz readyz
    GET /health/basic health.basic
    GET /ping ping
    GET / root
    GET /openapi.json docs.openapi
    POST /openapi.json -
    DELETE /openapi.json -
    GET /docs -
    GET /memories/6,6/ -`,
  'soma-2025': `
    POST /memories memories.store
    GET /memories/1,2 memories.get
    DELETE /memories/1,2 memories.delete
    GET /memories/search memories.search
    POST /memories/search memories.query
    POST /graph/link graph.link
    GET /graph/neighbors graph.neighbors
    GET /graph/path graph.path
    GET /stats stats`,
  koryphaios: `
    GET /api/memory/documents documents.list
    POST /api/memory/documents documents.create
    GET /api/memory/documents/memory/MEMORY.md documents.get
    PUT /api/memory/documents/memory/MEMORY.md documents.update
    GET /api/memory/universal -
    PUT /api/memory/universal -
    POST /api/memory/universal/init -
    GET /api/memory/project project.get
    PUT /api/memory/project project.update
    GET /api/memory/rules rules.get
    GET /api/memory/settings settings.get
    PUT /api/memory/settings settings.update
    GET /api/memory/context context.get
    GET /api/memory/stats stats.get
    GET /api/memory/sessions/s1 sessions.get
    DELETE /api/memory/sessions/s1 sessions.delete
    GET /api/notes/ notes.list
    GET /api/notes notes.list-bare
    POST /api/notes notes.create-bare
    GET /api/notes/search notes.search
    GET /api/notes/n1 notes.get
    PUT /api/notes/n1 notes.update
    DELETE /api/notes/n1 notes.delete
    GET /api/notes/n1/backlinks notes.backlinks
    POST /api/notes/n1/attachments -
    POST /api/notes/import-file -
    PUT /api/notes/settings/agent-permissions -
    POST /mcp -
    POST /api/auth/session -
    GET /ws -
    GET /api/sessions -
    POST /api/v1/credentials -
    GET /api/v1/keys/k1 -
    GET /api/v1/audit/me -
    GET /api/health health`,
  mem0: `
    POST /memories memories.add
    GET /memories memories.list
    POST /search memories.search
    GET /memories/m1 memories.get
    PUT /memories/m1 memories.update
    DELETE /memories/m1 memories.delete
    GET /memories/m1/history memories.history
    DELETE /memories memories.delete-all
    GET /entities entities.list
    DELETE /entities/user/alice entities.delete-user
    DELETE /entities/agent/a1 -
    DELETE /entities/run/r1 -
    POST /reset reset
    GET /configure -
    POST /configure -
    POST /auth/register -
    GET / -`,
  openmemory: `
    POST /memory/add memory.add
    POST /memory/ingest memory.ingest
    POST /memory/ingest/url -
    POST /memory/query memory.query
    POST /memory/reinforce memory.reinforce
    GET /memory/all memory.all
    GET /memory/m1 memory.get
    PATCH /memory/m1 memory.update
    DELETE /memory/m1 memory.delete
    GET /users/0123456789abcdef/memories -
    POST /api/temporal/fact facts.create
    GET /api/temporal/fact facts.query
    GET /api/temporal/timeline facts.timeline
    POST /api/temporal/decay -
    POST /mcp -
    POST /lgm/store -
    GET /health health
    GET /healthy -`,
  graphiti: `
    POST /messages messages.add
    POST /entity-node nodes.add
    POST /get-memory memory.get
    POST /search search
    GET /episodes/g1 episodes.list
    DELETE /group/g1 groups.delete
    GET /entity-edge/u1 edges.get
    DELETE /entity-edge/u1 edges.delete
    DELETE /episode/u1 episodes.delete
    POST /clear clear
    GET /healthcheck health`,
  chroma: `
    POST /api/v2/tenants tenants.create
    GET /api/v2/tenants/t1 tenants.get
    PATCH /api/v2/tenants/t1 tenants.update
    GET /api/v2/tenants/t1/databases databases.list
    POST /api/v2/tenants/t1/databases databases.create
    GET /api/v2/tenants/t1/databases/d databases.get
    DELETE /api/v2/tenants/t1/databases/d databases.delete
    GET /api/v2/tenants/t1/databases/d/collections collections.list
    POST /api/v2/tenants/t1/databases/d/collections collections.create
    GET /api/v2/tenants/t1/databases/d/collections_count collections.count
    GET /api/v2/tenants/t1/databases/d/collections/c collections.get
    PUT /api/v2/tenants/t1/databases/d/collections/c collections.update
    DELETE /api/v2/tenants/t1/databases/d/collections/c collections.delete
    POST /api/v2/tenants/t1/databases/d/collections/c/add records.add
    POST /api/v2/tenants/t1/databases/d/collections/c/update records.update
    POST /api/v2/tenants/t1/databases/d/collections/c/upsert records.upsert
    POST /api/v2/tenants/t1/databases/d/collections/c/delete records.delete
    POST /api/v2/tenants/t1/databases/d/collections/c/get records.get
    POST /api/v2/tenants/t1/databases/d/collections/c/query records.query
    GET /api/v2/tenants/t1/databases/d/collections/c/count records.count
    POST /api/v2/tenants/t1/databases/d/collections/c/fork -
    GET /api/v2/collections/t1:d:c collections.by-crn
    POST /api/v2/reset reset
    GET /api/v2/heartbeat heartbeat
    GET /api/v2/healthcheck healthcheck
    GET /api/v2/version version
    GET /api/v2/pre-flight-checks pre-flight-checks
    GET /api/v2/auth/identity identity
    GET /api/v1/heartbeat -
    GET /docs -`,
  qdrant: `
    GET /collections collections.list
    PUT /collections/c collections.create
    DELETE /collections/c collections.delete
    PUT /collections/c/points points.upsert
    POST /collections/c/points/query points.query
    POST /collections/c/points/search/batch points.search-batch
    POST /collections/c/points/batch -
    POST /collections/aliases -
    GET /aliases -
    POST /collections/c/snapshots -
    PUT /collections/c/snapshots/recover -
    POST /snapshots -
    GET /telemetry telemetry
    GET /metrics metrics
    GET /livez livez
    GET /dashboard/index.html -`,
  letta: `
    GET /v1/agents/ agents.list
    POST /v1/agents/ agents.create
    GET /v1/agents/agent-1 agents.get
    GET /v1/agents/agent-1/archival-memory archival-memory.list
    POST /v1/agents/agent-1/messages/stream messages.stream
    GET /v1/blocks/block-1 blocks.get
    GET /v1/archives/archive-1 archives.get
    GET /latest/agents/ -
    POST /v1/tools/run -
    GET /v1/admin/users -
    GET /v1/health/ health`,
  langgraph: `
    PUT /store/items items.put
    GET /store/items items.get
    DELETE /store/items items.delete
    POST /store/items/search items.search
    POST /store/namespaces namespaces.list
    POST /threads -
    GET /threads/t1/state -
    POST /runs/stream -
    GET /assistants/a1 -
    GET /ui/agent -
    GET /info -
    GET /ok ok`,
  'mcp-memory': `
    POST /mcp mcp
    GET /mcp mcp.stream
    DELETE /mcp mcp.end
    GET /sse -
    POST /messages -
    PUT /mcp -
    GET /ping -`,
  'basic-memory': `
    POST /mcp mcp
    GET /mcp mcp.stream
    DELETE /mcp mcp.end
    GET /v2/projects/p/knowledge -
    POST /proxy/projects/sync -`,
  'graphiti-mcp': `
    POST /mcp mcp
    GET /mcp mcp.stream
    DELETE /mcp mcp.end
    GET /health health
    GET /sse -`,
  generic: `
    GET /api/memories api.read
    POST /api/a/b api.post
    PUT /api/a api.put
    PATCH /api/a api.patch
    DELETE /api/a api.delete
    GET /api -
    GET /api/ -
    GET /admin -`,
};

for (const [name, text] of Object.entries(wanted)) {
  t.test(`${name}: each known request is a route, or denied`, async (t) => {
    const named = new Set<string>();
    for (const line of text.trim().split('\n')) {
      const [method = '', path = '', id = ''] = line.trim().split(' ');
      t.equal(routeOf(name, method, path) ?? '-', id, `${method} ${path}`);
      named.add(id);
    }
    t.ok(named.size > 1);
  });
}

t.test('every profile is in the table above', async (t) => {
  t.strictSame([...profiles.keys()].sort(), Object.keys(wanted).sort());
});

const sample = (template: string, rest: string): string =>
  template.replaceAll(/\{\*[^}]*\}/g, rest).replaceAll(/\{[^}]*\}/g, 'x1');

for (const [name, { data }] of profiles) {
  t.test(`${name}: what it denies on purpose meets no route`, async (t) => {
    for (const { match } of data.denied) {
      const [verb = '', template = ''] = match.split(' ');
      for (const method of verb === '*' ? methods : [verb]) {
        for (const rest of ['a', 'a/b'])
          t.equal(routeOf(name, method, sample(template, rest)), null, `${method} ${match}`);
      }
    }
    t.pass('looked at all of them');
  });

  t.test(`${name}: each route is met by a request for it`, async (t) => {
    for (const { id, match } of data.routes) {
      const [method = '', template = ''] = match.split(' ');
      t.equal(routeOf(name, method, sample(template, 'a/b')), id, match);
    }
  });
}
