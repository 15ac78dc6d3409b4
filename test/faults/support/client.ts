import { execFile } from 'node:child_process';
import { request, type Agent, type IncomingHttpHeaders } from 'node:http';
import { connect, type Socket } from 'node:net';
import { programFile } from './environment.js';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Call {
  readonly method?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly agent?: Agent;
  /** Address that it comes from; any of 127.0.0.0/8. */
  readonly localAddress?: string;
}

const callMsMax = 20_000;

/** One request; rejects when no whole answer comes back. */
export function call(
  url: URL | string,
  { method = 'GET', key, headers = {}, body, agent, localAddress }: Call = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { ...(key !== undefined && { authorization: `Bearer ${key}` }), ...headers };
    const options = {
      method,
      headers: all,
      timeout: callMsMax,
      ...(agent && { agent }),
      ...(localAddress && { localAddress }),
    };
    const sent = request(url, options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString(),
        });
      });
    });
    sent.on('error', reject).on('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.end(body);
  });
}

export const recallPath = '/api/v1/memories/recall?query=tea';
export const alphaSpace = { 'x-memory-space': 'alpha' };

/** A read of the space alpha. */
export const recall = (gateway: URL, key: string, agent?: Agent): Promise<Answer> =>
  call(new URL(recallPath, gateway), { key, headers: alphaSpace, ...(agent && { agent }) });

/** What an operator's reload answers. */
export const reload = (admin: URL, key: string): Promise<Answer> =>
  call(new URL('/-/reload', admin), { method: 'POST', key });

/** Values of a metric by its labels, `{}` for none. */
export async function metric(probes: URL, name: string): Promise<ReadonlyMap<string, number>> {
  const { body } = await call(new URL('/metrics', probes));
  const lines = body.matchAll(new RegExp(`^memgate_${name}(\\{[^}]*\\})? (\\S+)$`, 'gm'));
  return new Map([...lines].map(([, labels = '{}', value]) => [labels, Number(value)]));
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command of memgate to its end. */
export function memgate(...args: readonly string[]): Promise<Ran> {
  return new Promise((resolve) => {
    execFile(process.execPath, [programFile, ...args], (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
    });
  });
}

/** A bare connection, and all that came back on it. */
export interface Wire {
  readonly socket: Socket;
  text(): string;
  readonly closed: Promise<void>;
}

export function openWire({ hostname, port }: URL, localAddress?: string): Wire {
  const socket = connect({ port: Number(port), host: hostname, noDelay: true, ...(localAddress && { localAddress }) });
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1'))).on('error', () => undefined);
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return { socket, text: () => text, closed };
}
