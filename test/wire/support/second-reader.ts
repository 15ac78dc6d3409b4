import { createServer } from 'node:http';
import { Duplex } from 'node:stream';

/** A request as Node's parser reads it. */
export interface SecondReading {
  readonly method: string;
  readonly target: string;
  /** Names and values alternating. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
}

export interface SecondReadings {
  readonly requests: readonly SecondReading[];
  /** Methods of all requests, those without an end included. */
  readonly methods: readonly string[];
  readonly isBroken: boolean;
}

/** Reads the bytes of one connection with Node's parser: a reader with another origin than the strict one. */
export async function secondReading(bytes: Buffer): Promise<SecondReadings> {
  const requests: SecondReading[] = [];
  const methods: string[] = [];
  let isBroken = false;
  const server = createServer({ maxHeaderSize: 65_536 }, (request, response) => {
    const { method = '', url: target = '', rawHeaders } = request;
    const parts: Buffer[] = [];
    methods.push(method);
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      requests.push({ method, target, rawHeaders, body: Buffer.concat(parts) });
      response.end();
    });
  });
  const connection = new Duplex({ read: () => undefined, write: (_bytes, _encoding, done) => done() });
  await new Promise<void>((resolve) => {
    server.on('clientError', () => {
      isBroken = true;
      setImmediate(() => connection.destroy()); // requests in front of the broken bytes end first
    });
    connection.on('close', () => resolve());
    server.emit('connection', connection);
    connection.push(bytes);
    connection.push(null);
  });
  server.close();
  return { requests, methods, isBroken };
}
