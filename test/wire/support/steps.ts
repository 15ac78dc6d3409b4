import { H, SA, type Case } from './cases.js';
import type { Program } from './program.js';
import type { Answer } from './wire.js';

/** Recall in alpha with this header line. */
export const recall = (line: string, query = 'q=x'): string =>
  `GET /api/v1/memories/recall?${query} HTTP/1.1\r\n${H}${line === '' ? '' : `${line}\r\n`}${SA}\r\n`;

/** Recall in alpha with this bearer token. */
export const as = (token: string, query?: string): string => recall(`Authorization: Bearer ${token}`, query);

/** Argon2 computations so far. */
export async function hashes(program: Program): Promise<number> {
  const count = (result: string): Promise<number> => program.metric(`api_key_validations_total{result="${result}"}`);
  const [verified, rejected] = await Promise.all([count('verified'), count('rejected')]);
  return verified + rejected;
}

/** Reloads as KADM, as a part of the case. */
export async function reload(one: Case): Promise<void> {
  const { program } = one;
  const head = `POST /-/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${program.keys.KADM.text}\r\nContent-Length: 0\r\n\r\n`;
  const { answers } = await one.send(head, { port: program.adminPort, timeoutMs: 15_000 });
  if (answers[0]?.status !== 200) throw new Error(`the reload failed: ${answers[0]?.body.toString() ?? 'no answer'}`);
}

/** What a refusal says, without the name of its decision. */
export const said = ({ body }: Answer): string => body.toString('utf8').replace(/urn:memgate:decision:[^"]+/, '');
