import { isUtf8 } from 'node:buffer';
import { Fault } from '../model/codes.js';
import { Receipt, type Observed } from '../model/proofs.js';
import type { SessionUse } from '../model/rpc.js';
import type { RpcFacts } from '../model/target.js';
import type { Forwarded } from './context.js';
import { EventFilter } from './event-filter.js';
import type { Exchange } from './exchange.js';
import type { AnswerHolding } from './held-answer.js';
import type { UpstreamSink } from './port.js';
import { ListFilter } from './rpc-lists.js';

/** Which pages may read an MCP server's answers is ours to say. */
export const crossOrigin = [
  'access-control-allow-origin',
  'access-control-allow-credentials',
  'access-control-allow-methods',
  'access-control-allow-headers',
  'access-control-expose-headers',
  'access-control-max-age',
  'access-control-allow-private-network',
  'timing-allow-origin',
  'cross-origin-resource-policy',
];

/** Names that the policy is asked about for one answer. */
const namesMax = 1_000;

interface RpcExchange {
  readonly rpc: RpcFacts;
  readonly proof: Receipt | Observed;
  /** True for DELETE. */
  readonly isLast: boolean;
  readonly isStream: boolean;
  readonly holding: AnswerHolding;
}

/** Runs an exchange with an MCP server. What is only observed is passed on whole. */
export function runRpc(exchange: Exchange, { rpc, proof, isLast, isStream, holding }: RpcExchange): Promise<Forwarded> {
  const would = proof instanceof Receipt ? proof.admission.permit.would : null;
  const filter = rpc.lists === null || would === null ? null : new ListFilter(rpc.lists, would, namesMax);
  const answer = new RpcAnswer(exchange, { session: rpc.session, isLast, isStream, filter, holding });
  return exchange.run(answer).finally(() => {
    answer.release();
  });
}

interface Facts {
  readonly session: SessionUse;
  /** True for DELETE. */
  readonly isLast: boolean;
  /** Its head goes out at once. */
  readonly isStream: boolean;
  /** Null where the answer holds no list. */
  readonly filter: ListFilter | null;
  readonly holding: AnswerHolding;
}

const sessionHeader = 'mcp-session-id';
const isOf = (type: string, wanted: string): boolean => type.split(';', 1)[0]?.trim().toLowerCase() === wanted;

/** Takes the answer of an MCP server: whose session it opens or ends, and what of a list the caller may see. */
class RpcAnswer implements UpstreamSink {
  readonly #taker: UpstreamSink;
  readonly #facts: Facts;
  #isHeadOut = false;
  #mode: 'passed' | 'whole' | 'events' = 'passed';
  #held: Buffer[] = [];
  #bytes = 0;
  #status = 0;
  #headers: string[] = [];
  readonly #text = new TextDecoder('utf-8', { fatal: true });
  #events: EventFilter | null = null;

  constructor(taker: UpstreamSink, facts: Facts) {
    this.#taker = taker;
    this.#facts = facts;
  }

  /** Gives back what it holds, however it ended. */
  release(): void {
    this.#hold(-this.#bytes);
    this.#held = [];
  }

  begin(): boolean {
    return this.#taker.begin();
  }

  head(status: number, headers: readonly string[]): void {
    const { session, isLast, isStream, filter } = this.#facts;
    if (status === 404 || (isLast && status < 300)) session.ended();
    this.#status = status;
    this.#headers = pairs(headers).flatMap(([name, value]) =>
      name.toLowerCase() === sessionHeader && !(status < 300 && session.shown(value)) ? [] : [name, value],
    );
    this.#mode = filter === null || status < 200 || status > 299 ? 'passed' : this.#modeOf(headers);
    if (this.#mode === 'events') {
      this.#events = new EventFilter((data) => {
        if (data.length > this.#facts.holding.maxBytes) throw tooLong(this.#facts.holding);
        return this.#filtered(data);
      });
      this.#headers = without(this.#headers, 'content-length');
    }
    if (this.#mode === 'passed' || (this.#mode === 'events' && isStream)) this.#passHead();
  }

  /** Of a list it goes with the first event: until then a refusal can take the place of the answer. */
  #passHead(): void {
    if (this.#isHeadOut) return;
    this.#isHeadOut = true;
    this.#taker.head(this.#status, this.#headers);
  }

  data(chunk: Buffer): boolean {
    if (this.#mode === 'passed') return this.#taker.data(chunk);
    if (this.#mode === 'events') return this.#pass(chunk);
    this.#hold(chunk.length);
    this.#held.push(chunk);
    return true;
  }

  end(): void {
    try {
      if (this.#mode === 'whole') this.#passWhole();
      else {
        this.#passHead();
        this.#taker.end();
      }
    } catch (thrown) {
      this.failed(
        thrown instanceof Fault ? thrown : new Fault('self.bug', 'an answer was not read', { cause: thrown }),
      );
    }
  }

  failed(why: Parameters<UpstreamSink['failed']>[0]): void {
    this.#taker.failed(why);
  }

  #modeOf(headers: readonly string[]): 'passed' | 'whole' | 'events' {
    const values = (name: string): string[] =>
      pairs(headers).flatMap(([key, value]) => (key.toLowerCase() === name ? [value] : []));
    if (values('content-encoding').some((coding) => coding.toLowerCase() !== 'identity'))
      throw unread('a content encoding');
    const type = values('content-type').join(',');
    if (isOf(type, 'text/event-stream')) return 'events';
    if (isOf(type, 'application/json')) return 'whole';
    if (this.#status === 202 || this.#status === 204) return 'passed';
    throw unread('neither JSON nor a stream of events');
  }

  #pass(chunk: Buffer): boolean {
    const text = this.#events?.push(this.#decoded(chunk)) ?? '';
    this.#hold((this.#events?.pending ?? 0) - this.#bytes);
    if (text === '') return true;
    this.#passHead();
    return this.#taker.data(Buffer.from(text));
  }

  #decoded(chunk: Buffer): string {
    try {
      return this.#text.decode(chunk, { stream: true });
    } catch (cause) {
      throw new Fault('upstream.unchecked', 'not UTF-8', { cause });
    }
  }

  #passWhole(): void {
    const bytes = Buffer.concat(this.#held);
    if (!isUtf8(bytes)) throw unread('not UTF-8');
    const body = Buffer.from(this.#filtered(bytes.toString('utf8')));
    const framing = ['content-length', 'transfer-encoding', 'etag'];
    this.#taker.head(this.#status, [...framing.reduce(without, this.#headers), 'Content-Length', String(body.length)]);
    if (body.length > 0) this.#taker.data(body);
    this.#taker.end();
  }

  #filtered(text: string): string {
    return this.#facts.filter === null ? text : this.#facts.filter.message(text);
  }

  #hold(bytes: number): void {
    const { heldBytes, maxBytes, inProgressMax } = this.#facts.holding;
    if (bytes > 0 && this.#bytes + bytes > maxBytes) throw tooLong(this.#facts.holding);
    if (bytes > 0 && heldBytes.now + bytes > inProgressMax)
      throw new Fault(
        'upstream.busy',
        `upstream.objects.answer_bytes_in_progress of ${String(inProgressMax)} is reached`,
      );
    heldBytes.now += bytes;
    this.#bytes += bytes;
  }
}

const unread = (detail: string): Fault => new Fault('upstream.unchecked', detail);
const tooLong = ({ maxBytes }: AnswerHolding): Fault =>
  unread(`over upstream.objects.answer_max_bytes of ${String(maxBytes)}`);

function pairs(list: readonly string[]): (readonly [string, string])[] {
  const found: (readonly [string, string])[] = [];
  for (let i = 0; i + 1 < list.length; i += 2) found.push([list[i] ?? '', list[i + 1] ?? '']);
  return found;
}

const without = (list: string[], key: string): string[] =>
  pairs(list).flatMap(([name, value]) => (name.toLowerCase() === key ? [] : [name, value]));
