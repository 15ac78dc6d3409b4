import { request } from 'node:http';
import { connect } from 'node:net';
import type { JsonValue } from '../model/audit.js';
import { ok, no } from '../base/result.js';
import type { KeyAnswer, KeyDesk } from '../manage/manage.js';
import type { Explanation } from '../review/review.js';
import { ControlError, jsonOf, pathBytesMax, responseBytesMax, type Call, type ControlAnswer } from './wire.js';

/** The running process, from the command line. Methods throw ControlError when it does not answer or something in it is broken. */
export interface ControlClient {
  readonly keys: KeyDesk;
  reload(wish?: ReloadCall): Promise<JsonValue>;
  status(): Promise<JsonValue>;
  /** Has a policy asked beside the one in force; absolute paths. */
  beginCandidate(wish: Extract<Call, { do: 'candidate-begin' }>['wish']): Promise<JsonValue>;
  candidateReport(): Promise<JsonValue>;
  promoteCandidate(revision: string | null): Promise<JsonValue>;
  dropCandidate(): Promise<JsonValue>;
  explain(id: string): KeyAnswer<Explanation>;
}

/** What a reload is asked for with. */
interface ReloadCall {
  readonly dryRun?: boolean;
  /** Key manifests and nothing else: refused where anything else has changed. */
  readonly keysOnly?: boolean;
  readonly allowRollback?: boolean;
  /** The beginning of the hash of a kept generation, or null for the one before. */
  readonly backTo?: string | null;
}

/** A reload evaluates every test input and may take a while. */
const answerMs = 120_000;

function exchange(path: string, body: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const fail = (fault: Error): void => {
      reject(new ControlError(`the process behind ${path} does not answer: ${fault.message}`));
    };
    const call = request(
      {
        socketPath: path,
        method: 'POST',
        path: '/v1',
        agent: false,
        headers: { host: 'control', 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        const parts: Buffer[] = [];
        let length = 0;
        response.on('data', (part: Buffer) => {
          length += part.length;
          if (length > responseBytesMax) call.destroy(new Error('the answer is too long'));
          else parts.push(part);
        });
        response.on('end', () => {
          resolve(Buffer.concat(parts));
        });
        response.on('error', fail);
      },
    );
    call.setTimeout(answerMs, () => call.destroy(new Error(`nothing within ${String(answerMs / 1_000)} s`)));
    call.on('error', fail);
    call.end(body);
  });
}

async function ask<T>(path: string, call: Call): KeyAnswer<T> {
  const json = jsonOf(await exchange(path, JSON.stringify(call)));
  if (json === null || typeof json.value !== 'object' || json.value === null || !('ok' in json.value))
    throw new ControlError(`the process behind ${path} gave no answer of memgate`);
  const answer = json.value as ControlAnswer<T>; // our own process wrote it, behind a socket of mode 0600
  if (answer.ok) return ok(answer.value);
  if ('why' in answer) return no(answer.why);
  throw new ControlError(answer.broken);
}

async function valueOf(path: string, call: Call): Promise<JsonValue> {
  const answer = await ask<JsonValue>(path, call);
  if (answer.ok) return answer.value;
  throw new ControlError(answer.why.problems.join('; '));
}

/** True when somebody listens. @throws ControlError when that cannot be found out, such as for want of rights */
function isServed(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (fault: NodeJS.ErrnoException) => {
      if (fault.code === 'ENOENT' || fault.code === 'ECONNREFUSED') resolve(false);
      else reject(new ControlError(`${path} cannot be reached: ${fault.message}`));
    });
  });
}

/**
 * A client of the process that serves this socket.
 *
 * @returns null when nothing listens there
 * @throws ControlError when the socket may not be opened
 */
export async function controlClient(path: string): Promise<ControlClient | null> {
  // A process refuses to start on a longer path; Node would cut it here and find somebody else.
  if (Buffer.byteLength(path) > pathBytesMax || !(await isServed(path))) return null;
  return {
    keys: {
      createKey: (wish) =>
        ask(path, {
          do: 'create-key',
          wish: {
            ...wish,
            spaces: [...wish.spaces],
            permissions: [...wish.permissions],
            roles: [...(wish.roles ?? [])],
          },
        }),
      listKeys: (filter) => ask(path, { do: 'list-keys', filter }),
      inventory: () => ask(path, { do: 'inventory' }),
      rotateKey: (id, wish) => ask(path, { do: 'rotate-key', id, wish }),
      revokeKey: (id, reason) => ask(path, { do: 'revoke-key', id, reason }),
      checkKey: (key) => ask(path, { do: 'check-key', key }),
    },
    reload: (wish) => valueOf(path, { do: 'reload', ...wish }),
    status: () => valueOf(path, { do: 'status' }),
    beginCandidate: (wish) => valueOf(path, { do: 'candidate-begin', wish }),
    candidateReport: () => valueOf(path, { do: 'candidate-report' }),
    promoteCandidate: (revision) => valueOf(path, { do: 'candidate-promote', revision }),
    dropCandidate: () => valueOf(path, { do: 'candidate-drop' }),
    explain: (id) => ask(path, { do: 'explain', id }),
  };
}
