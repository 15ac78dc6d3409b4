import { createRequire } from 'node:module';
import type { AnswerReading } from './readings.js';

interface Parser {
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number | Error;
  finish(): Error | undefined;
  close(): void;
  [event: number]: (...args: never[]) => number | undefined;
}

type Heads = (
  ...args: [
    major: number,
    minor: number,
    headers: string[] | undefined,
    method: unknown,
    url: unknown,
    status: number,
    message: string,
    isUpgrade: boolean,
    keepsAlive: boolean,
  ]
) => number;
type Event = 'kOnHeaders' | 'kOnHeadersComplete' | 'kOnBody' | 'kOnMessageComplete';

// llhttp as Node's own client drives it. It has no public name; the place is that of `node:http` itself.
const { HTTPParser } = createRequire(import.meta.url)('_http_common') as {
  HTTPParser: (new () => Parser) & Readonly<Record<Event | 'RESPONSE', number>>;
};

/** What `node:http` answers llhttp with: no body comes behind this head. */
const noBody = 1;

/** Reads the answer to one request as llhttp does. What comes behind it is not looked at. */
export function llhttpReading(pieces: readonly Buffer[], method: string): AnswerReading {
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.RESPONSE, {});
  let status: number | null = null;
  let headers: string[] = [];
  let mayRest = false;
  const seen = { isWhole: false, isUpgraded: false };
  const body: Buffer[] = [];
  parser[HTTPParser.kOnHeaders] = (more: string[]) => {
    if (status === null) headers.push(...more); // later ones are trailers
    return undefined;
  };
  const heads: Heads = (...[, , more, , , code, , isUpgrade, keepsAlive]) => {
    if (status !== null) return noBody;
    const lines = [...headers, ...(more ?? [])];
    headers = [];
    if (code < 200) {
      seen.isUpgraded ||= code === 101 || isUpgrade;
      return noBody;
    }
    [status, headers, mayRest] = [code, lines, keepsAlive];
    return method === 'HEAD' ? noBody : 0;
  };
  parser[HTTPParser.kOnHeadersComplete] = heads;
  parser[HTTPParser.kOnBody] = (part: Buffer) => {
    if (!seen.isWhole) body.push(Buffer.from(part));
    return undefined;
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    seen.isWhole ||= status !== null;
    return undefined;
  };
  let isBroken = false;
  for (const piece of pieces) {
    if (isBroken || seen.isWhole) break;
    isBroken = parser.execute(piece) instanceof Error;
  }
  if (!isBroken && !seen.isWhole) isBroken = parser.finish() instanceof Error;
  parser.close();
  const isRefused = seen.isUpgraded || (isBroken && !seen.isWhole);
  return { status, headers, body: Buffer.concat(body), isWhole: seen.isWhole, isRefused, mayRest };
}
