import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import { inPackage, programFile } from './environment.js';
import { rssMiB } from './process-watch.js';

// The test runner hands every program a module to load, which would be measured as well.
const alone = ['env', '--unset=NODE_OPTIONS'] as const;

/** How an operator starts it: with the settings of memory. */
export const launcher: readonly [string, ...string[]] = [...alone, inPackage('bin/memgate')];
/** Without them. */
export const bareProgram: readonly [string, ...string[]] = [...alone, process.execPath, programFile];

/** The middle of 21 samples within two seconds: a single one may fall on either side of a collection. */
export async function settledMiB(pid: number): Promise<number> {
  const samples: number[] = [];
  for (let n = 0; n < 21; n += 1) {
    samples.push(rssMiB(pid));
    await after(100);
  }
  return samples.sort((one, other) => one - other)[10] ?? NaN;
}

export interface Closing {
  readonly url: string;
  close(): Promise<void>;
}

/** A server that takes some hundred KiB a second from each connection, and never answers. */
export async function openSlowSink(): Promise<Closing> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    socket.on('data', () => {
      socket.pause();
      setTimeout(() => socket.resume(), 200);
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(null)));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface UploadWish {
  readonly to: URL;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly count: number;
  readonly bytes: number;
}

export interface Uploads {
  /** Bytes that the system has taken from all clients in sum. */
  accepted(): number;
  /** Answers and broken connections; an upload that runs has none. */
  readonly ended: readonly string[];
  stop(): void;
}

const chunk = Buffer.alloc(65_536, 'x');

/** Clients that send as fast as they may. */
export function startUploads({ to, path, headers, count, bytes }: UploadWish): Uploads {
  const ended: string[] = [];
  const lines = Object.entries({ host: to.host, ...headers, 'content-length': String(bytes) });
  const head = `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  const sockets = Array.from({ length: count }, () => {
    const socket = connect(Number(to.port), to.hostname);
    let left = bytes;
    const more = (): void => {
      for (let isTaken = true; isTaken && left > 0 && !socket.destroyed; left -= chunk.length)
        isTaken = socket.write(chunk);
    };
    socket.once('data', (answer: Buffer) => ended.push(answer.toString('latin1', 0, 300)));
    socket.on('error', (error) => ended.push(error.message)).on('drain', more);
    socket.write(head);
    more();
    return socket;
  });
  return {
    accepted: () => sockets.reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, 0),
    ended,
    stop: () => {
      for (const socket of sockets) socket.destroy();
    },
  };
}
