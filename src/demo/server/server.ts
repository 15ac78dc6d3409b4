import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../base/clock.js';
import { failure, responders, type Answer, type AnswerContext } from './answers.js';
import { createEventHub, eventText, startStream } from './events.js';
import { bodyBytesMax } from './json-body.js';
import { openMemories, type Memories } from './memories.js';
import { defaultSpace, readRequest, type Misunderstood, type Understood } from './reading.js';
import { findRoute } from './routes.js';
import { splitTarget } from './urls.js';

export { readRequest, type Misunderstood, type Understood, type WireRequest } from './reading.js';

/** Which space a request was understood to mean: `*` is all of them, null none. Requests that were refused make no reading. */
export interface Reading {
  readonly method: string;
  readonly target: string;
  readonly space: string | null;
}

export interface MemoryServerOptions {
  /** 0 for a free one. Loopback only. */
  readonly port: number;
  readonly dataDir: string;
  /** Spaces that exist from the start, beside the default one. */
  readonly spaces: readonly string[];
  readonly clock: Clock;
  /** Told about each reading before the answer goes out. */
  readonly onReading?: (reading: Reading) => void;
}

export interface MemoryServer {
  readonly url: string;
  /** The last readings, the oldest first. */
  readonly reads: readonly Reading[];
  close(): Promise<void>;
}

const readsKept = 1024;

/** A small but real memory server with Engram's HTTP API: it keeps memories, and reads the space as the real one does. */
export async function startMemoryServer(options: MemoryServerOptions): Promise<MemoryServer> {
  const memories = openMemories(options.dataDir, options.clock);
  for (const space of [defaultSpace, ...options.spaces]) memories.touch(space);
  const reads: Reading[] = [];
  const context: ServerContext = {
    memories,
    events: createEventHub(),
    noted: (reading) => {
      if (reads.length === readsKept) reads.shift();
      reads.push(reading);
      options.onReading?.(reading);
    },
  };
  const server = createServer((request, response) => {
    response.on('error', () => {
      response.destroy();
    }); // the client left: nobody to tell
    serve(request, response, context).catch(() => {
      if (response.headersSent) response.destroy();
      else send(response, failure(500, 'INTERNAL', 'an unexpected error'));
    });
  });
  server.keepAliveTimeout = 75_000; // longer than any client keeps an idle connection
  await listening(server, options.port).catch((thrown: unknown) => {
    memories.close();
    throw thrown;
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${String(port)}`, reads, close: () => closed(server, memories) };
}

interface ServerContext extends AnswerContext {
  readonly noted: (reading: Reading) => void;
}

const listening = (server: Server, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });

const closed = (server: Server, memories: Memories): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => {
      memories.close();
      resolve();
    });
    server.closeAllConnections();
  });

async function serve(request: IncomingMessage, response: ServerResponse, context: ServerContext): Promise<void> {
  const { method = '', url: target = '' } = request;
  if (method === 'OPTIONS') {
    response
      .writeHead(200, {
        'access-control-allow-origin': '*',
        'access-control-allow-methods': '*',
        'access-control-allow-headers': '*',
      })
      .end();
    return;
  }
  const body = await bodyFor(request, method, target);
  const understood = readRequest({ method, target, rawHeaders: request.rawHeaders, body });
  if (!understood.ok) {
    if (understood.status === 413) response.setHeader('connection', 'close'); // the rest of the body is still on its way
    send(response, misunderstood(understood), understood.allow);
    return;
  }
  context.noted({ method, target, space: understood.space });
  answer(understood, response, context);
}

/** The body, where the route reads one; read up to one byte more than is allowed. */
async function bodyFor(request: IncomingMessage, method: string, target: string): Promise<Buffer> {
  const found = findRoute(method, splitTarget(target).path);
  if (!('route' in found) || found.route.json === undefined) {
    request.resume();
    return Buffer.alloc(0);
  }
  const chunks: Buffer[] = [];
  let length = 0;
  // The answer goes out on the same socket, so leaving the loop early must not destroy it.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > bodyBytesMax) break;
  }
  request.resume();
  return Buffer.concat(chunks);
}

const misunderstood = ({ status, message, code }: Misunderstood): Answer =>
  code === undefined
    ? { kind: 'text', status, type: 'text/plain; charset=utf-8', body: message }
    : failure(status, code, message);

function answer(request: Understood, response: ServerResponse, context: ServerContext): void {
  const { space, route } = request;
  if (space !== null && space !== '*' && route.space !== 'echo') context.memories.touch(space);
  const responder = responders[route.answer];
  const made = responder?.(request, space ?? '', context) ?? failure(500, 'INTERNAL', 'no answer for this route');
  if (response.req.method === 'HEAD' && made.kind !== 'json' && made.kind !== 'text') {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).end();
  } else if (made.kind === 'stream') {
    context.events.listen(made.name, response);
  } else if (made.kind === 'invented') {
    startStream(response);
    response.write(eventText(1, 'activation', { memory_space_id: made.space, activation: 0.5 }));
  } else {
    send(response, made);
  }
}

function send(response: ServerResponse, made: Answer, allow?: readonly string[]): void {
  if (made.kind !== 'json' && made.kind !== 'text') return;
  const body = Buffer.from(made.kind === 'json' ? JSON.stringify(made.body) : made.body);
  response.writeHead(made.status, {
    'content-type': made.kind === 'json' ? 'application/json' : made.type,
    'content-length': body.length,
    'access-control-allow-origin': '*',
    ...(allow && { allow: allow.join(', ') }),
  });
  response.end(body);
}
