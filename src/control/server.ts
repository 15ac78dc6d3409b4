import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { capped } from '../base/encoding.js';
import { messageOf, type Logger } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import type { JsonValue } from '../model/audit.js';
import type { KeyAnswer, KeyDesk } from '../manage/manage.js';
import type { ReloadWish } from '../reload/reload.js';
import type { Explanation } from '../review/review.js';
import { callOf, pathBytesMax, requestBytesMax, type Call, type ControlAnswer } from './wire.js';

/** A policy that is asked beside the one in force. */
interface CandidateCalls {
  begin(wish: Extract<Call, { do: 'candidate-begin' }>['wish']): Promise<JsonValue>;
  report(): JsonValue;
  promote(revision: string | null): Promise<JsonValue>;
  drop(): Promise<JsonValue>;
}

export interface ControlContext {
  readonly path: string;
  /** Of the local operator: the mode of the socket is the only credential. */
  readonly keys: KeyDesk;
  reload(wish: ReloadWish): Promise<JsonValue>;
  status(): JsonValue | Promise<JsonValue>;
  /** Null for a decision that the log does not hold. */
  explain(id: string): Promise<Explanation | null>;
  readonly candidate: CandidateCalls;
  readonly log: Logger;
}

export interface Control {
  close(): Promise<void>;
}

const requestMs = 10_000;

async function bodyOf(request: IncomingMessage): Promise<Buffer | null> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > requestBytesMax) return null;
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const explained = (found: Explanation | null, id: string): Awaited<KeyAnswer<Explanation>> =>
  found === null
    ? no({ kind: 'not-found', problems: [`the log holds no decision ${JSON.stringify(capped(id, 64))}`] })
    : ok(found);

/** What a call gives; a refusal of the key desk passes as it is. */
async function answerTo(call: Call, context: ControlContext): Promise<ControlAnswer<unknown>> {
  const { keys } = context;
  switch (call.do) {
    case 'create-key':
      return keys.createKey(call.wish);
    case 'list-keys':
      return keys.listKeys(call.filter);
    case 'rotate-key':
      return keys.rotateKey(call.id, call.wish);
    case 'revoke-key':
      return keys.revokeKey(call.id, call.reason);
    case 'check-key':
      return keys.checkKey(call.key);
    case 'explain':
      return explained(await context.explain(call.id), call.id);
    case 'inventory':
      return keys.inventory();
    case 'candidate-begin':
      return ok(await context.candidate.begin(call.wish));
    case 'candidate-report':
      return ok(context.candidate.report());
    case 'candidate-promote':
      return ok(await context.candidate.promote(call.revision));
    case 'candidate-drop':
      return ok(await context.candidate.drop());
    case 'reload':
      return ok(
        await context.reload({
          dryRun: call.dryRun ?? false,
          keysOnly: call.keysOnly ?? false,
          allowRollback: call.allowRollback ?? false,
          ...(call.backTo !== undefined && { backTo: call.backTo }),
        }),
      );
    case 'status':
      return ok(await context.status());
  }
}

function send(response: ServerResponse, status: number, answer: ControlAnswer<unknown>): void {
  const text = JSON.stringify(answer);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    connection: 'close',
  });
  response.end(text);
}

async function serve(request: IncomingMessage, response: ServerResponse, context: ControlContext): Promise<void> {
  if (request.method !== 'POST' || request.url !== '/v1') {
    send(response, 404, { ok: false, broken: 'only POST /v1 is served here' });
    return;
  }
  const body = await bodyOf(request);
  if (body === null) {
    send(response, 413, { ok: false, broken: `a call has at most ${String(requestBytesMax)} bytes` });
    return;
  }
  const call = callOf(body);
  if (!call.ok) {
    send(response, 400, { ok: false, why: { kind: 'invalid', problems: [call.why] } });
    return;
  }
  try {
    send(response, 200, await answerTo(call.value, context));
  } catch (thrown) {
    context.log.error('control call failed', { call: call.value.do, reason: messageOf(thrown) });
    send(response, 503, { ok: false, broken: messageOf(thrown) });
  }
}

/** A socket that nobody serves any more stays behind after a crash. Only a socket is removed, and only because the caller holds the directory's lock. */
function removeStale(path: string): string | null {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return null;
  if (!stats.isSocket()) return `${path} is there and is not a socket: remove it`;
  rmSync(path);
  return null;
}

function listen(server: Server, path: string): Promise<Result<true, string>> {
  return new Promise((resolve) => {
    server.once('error', (fault) => {
      resolve(no(`${path} cannot be listened on: ${messageOf(fault)}`));
    });
    const before = process.umask(0o177); // the socket is made within listen(): it never exists with a wider mode
    server.listen(path, () => {
      resolve(ok(true));
    });
    process.umask(before);
  });
}

/**
 * Serves the command line on a Unix socket with mode 0600. The caller holds the lock of the directory that the socket is in.
 *
 * @returns why not: a path that is too long, or something else in its place
 */
export async function startControl(context: ControlContext): Promise<Result<Control, string>> {
  const { path } = context;
  const bytes = Buffer.byteLength(path);
  if (bytes > pathBytesMax)
    return no(
      `${path} has ${String(bytes)} bytes; a socket's path has at most ${String(pathBytesMax)}: use a shorter data_dir`,
    );
  const stale = removeStale(path);
  if (stale !== null) return no(stale);
  const server = createServer(
    { requestTimeout: requestMs, headersTimeout: requestMs, connectionsCheckingInterval: 1_000, maxHeaderSize: 8_192 },
    (request, response) => {
      serve(request, response, context).catch((thrown: unknown) => {
        context.log.warn('control connection broke off', { reason: messageOf(thrown) });
        response.destroy();
      });
    },
  );
  server.maxConnections = 32;
  const listening = await listen(server, path);
  if (!listening.ok) return listening;
  server.on('error', (fault) => {
    context.log.error('control socket failed', { reason: messageOf(fault) });
  });
  chmodSync(path, 0o600);
  return ok({
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeIdleConnections();
      }),
  });
}
