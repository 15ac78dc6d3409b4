import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Test } from 'tap';

/** A memory of the server: it obeys its id, and whoever knows it. */
export interface Memory {
  readonly id: string;
  user_id: string;
  text: string;
}

export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
}

type Answering = (request: Seen, response: ServerResponse) => boolean;

/** A memory server whose objects are reached by id alone, as those of servers.md §9.3 are. */
export class ObjectsServer {
  readonly memories = new Map<string, Memory>();
  /** Tenant → ids of its collections. */
  readonly collections = new Map<string, string[]>();
  readonly seen: Seen[] = [];
  /** Answers in the place of the usual one where it returns true. */
  instead: Answering = () => false;
  url = '';

  static async start(t: Test): Promise<ObjectsServer> {
    const objects = new ObjectsServer();
    const server = createServer((request, response) => void objects.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    objects.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return objects;
  }

  reset(): void {
    this.memories.clear();
    this.collections.clear();
    this.instead = () => false;
    this.add('m1', 'alpha');
    this.add('m2', 'beta');
    this.add('m3', 'alpha');
    this.collections.set('alpha', ['11111111-2222-4333-8444-55555555555a']);
    this.collections.set('beta', ['11111111-2222-4333-8444-55555555555b']);
    this.seen.length = 0;
  }

  add(id: string, user: string): void {
    this.memories.set(id, { id, user_id: user, text: `secret of ${user}` });
  }

  /** `METHOD /path` of what came, in order. */
  get asked(): readonly string[] {
    return this.seen.map(({ method, url }) => `${method} ${url}`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = { method: request.method ?? '', url: request.url ?? '', headers: request.headers };
    this.seen.push(seen);
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (this.instead(seen, response)) return;
    const { body, status = 200 } = this.#usual(seen, Buffer.concat(parts).toString());
    json(response, body, status);
  }

  #usual({ method, url }: Seen, sent: string): { readonly body: unknown; readonly status?: number } {
    const [path = ''] = url.split('?');
    const [kind = '', one = '', , id = ''] = path.slice(1).split('/');
    if (kind === 'related' || (kind === 'memories' && one === '')) return { body: this.#list() };
    if (kind === 'spaces') return { body: [...new Set([...this.memories.values()].map((m) => m.user_id))] };
    if (kind === 'tenants') return { body: id === '' ? this.#listCollections(one) : { secret: `rows of ${id}` } };
    const memory = this.memories.get(one);
    if (memory === undefined) return { body: { detail: 'no such memory' }, status: 404 };
    if (method === 'PUT') Object.assign(memory, JSON.parse(sent));
    if (method === 'DELETE') this.memories.delete(one);
    return { body: memory };
  }

  #list(): object {
    return { results: [...this.memories.values()], next: 'page-2', total: this.memories.size };
  }

  #listCollections(tenant: string): object {
    return (this.collections.get(tenant) ?? []).map((id) => ({ id, tenant }));
  }
}

export function json(response: ServerResponse, body: unknown, status = 200): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'Content-Type': 'application/json', ETag: '"all"', 'X-Total-Count': '3' }).end(text);
}
