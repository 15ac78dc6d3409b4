import { createServer, type Server, type ServerResponse } from 'node:http';
import { openPort } from '../base/open-port.js';

export interface ComponentState {
  readonly ready: boolean;
  /** Why not, for operators; no path, no secret. */
  readonly reason: string | null;
}

export interface ProbePorts {
  /** Cheap and in memory: what the process itself needs. */
  readonly components: () => Readonly<Record<string, ComponentState>>;
  /** Asks the memory server; the answer is shared for a second. */
  readonly upstream: (kind: 'live' | 'ready') => Promise<ComponentState>;
  readonly metrics: () => Promise<{ readonly type: string; readonly text: string }>;
}

export interface Probes {
  readonly port: number;
  /** From now on not ready: the process is stopping. */
  drain(): void;
  close(): Promise<void>;
}

const headBytesMax = 4_096;

/** Health, readiness and metrics on a listener of their own: no credential, no secret, no cost. */
export async function startProbes(
  options: { readonly host: string; readonly port: number; readonly maxConnections: number },
  ports: ProbePorts,
): Promise<Probes> {
  let isDraining = false;
  const server = createServer(
    { maxHeaderSize: headBytesMax, headersTimeout: 5_000, requestTimeout: 5_000 },
    (request, response) => {
      request.resume();
      const path = request.url?.split('?')[0] ?? '';
      const answer = request.method === 'GET' || request.method === 'HEAD' ? routes[path] : undefined;
      if (answer === undefined) {
        send(response, 404, { status: 'not found' });
        return;
      }
      answer({ ports, isDraining, response }).catch(() => {
        send(response, 503, { status: 'error' });
      });
    },
  );
  server.maxConnections = options.maxConnections;
  const { port } = await openPort(server, { host: options.host, port: options.port });
  return {
    port,
    drain: () => {
      isDraining = true;
    },
    close: () => stop(server),
  };
}

interface Call {
  readonly ports: ProbePorts;
  readonly isDraining: boolean;
  readonly response: ServerResponse;
}

const health = (states: Readonly<Record<string, ComponentState>>, { response }: Call): void => {
  const isReady = Object.values(states).every(({ ready }) => ready);
  send(response, isReady ? 200 : 503, { status: isReady ? 'ok' : 'unavailable', components: states });
};

const routes: Readonly<Record<string, (call: Call) => Promise<void>>> = {
  '/health': (call) => {
    // Liveness: a full disk or a sick upstream is no reason to kill the process; a missing generation or listener is.
    const { generation, listeners } = call.ports.components();
    health({ ...(generation && { generation }), ...(listeners && { listeners }) }, call);
    return Promise.resolve();
  },
  '/ready': async (call) => {
    // While stopping the answer is known: the memory server is not asked, who may be slow to say anything.
    const stopping: ComponentState = { ready: false, reason: 'stopping' };
    const rest = call.isDraining ? { process: stopping } : { upstream: await call.ports.upstream('ready') };
    health({ ...call.ports.components(), ...rest }, call);
  },
  '/upstream/live': async (call) => {
    health({ upstream: await call.ports.upstream('live') }, call);
  },
  '/upstream/ready': async (call) => {
    health({ upstream: await call.ports.upstream('ready') }, call);
  },
  '/metrics': async ({ ports, response }) => {
    const { type, text } = await ports.metrics();
    response.writeHead(200, { 'Content-Type': type, 'Cache-Control': 'no-store' }).end(text);
  },
};

function send(response: ServerResponse, status: number, body: unknown): void {
  if (response.headersSent) return;
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response
    .writeHead(status, {
      'Content-Type': 'application/json',
      'Content-Length': bytes.length,
      'Cache-Control': 'no-store',
    })
    .end(bytes);
}

const stop = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => {
      resolve();
    });
    server.closeAllConnections();
  });
