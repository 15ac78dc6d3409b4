import { createServer, type Server } from 'node:http';
import { ClientMessage } from './client-message.js';

const headBytesMax = 16_384;
/** Who is late is cut a few at a time: thousands at once would hold everybody else up for as long. A look at those in time costs nothing, as they stand in order. */
const lateCheckMs = 50;

export interface ServerSettings {
  readonly maxConnections: number;
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
}

/** Settings of the parser and their reasons: docs/explanation/life-of-a-request.md. */
export function newServer(options: ServerSettings): Server {
  const server = createServer({
    maxHeaderSize: headBytesMax,
    headersTimeout: options.headersTimeoutMs,
    requestTimeout: 0, // one for all routes would cut long uploads: deadlines and rates are ours
    connectionsCheckingInterval: Math.min(lateCheckMs, options.headersTimeoutMs),
    keepAliveTimeout: options.keepAliveTimeoutMs,
    requireHostHeader: false, // the gate refuses, so that the refusal is recorded
    insecureHTTPParser: false,
    joinDuplicateHeaders: false,
    rejectNonStandardBodyWrites: false,
    noDelay: true,
    IncomingMessage: ClientMessage,
  });
  server.maxHeadersCount = 0; // Node 20 drops surplus lines silently; the gate counts and refuses
  server.maxConnections = options.maxConnections;
  return server;
}
