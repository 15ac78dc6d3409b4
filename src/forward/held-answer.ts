import { Fault, refuse, type Refusal } from '../model/codes.js';
import type { Meter } from '../model/meter.js';
import type { AnswerRule } from '../model/target.js';
import type { AnswerFinding } from '../model/trail.js';
import { judge, spansOf, type Sees } from './json-answer.js';
import { Unreadable } from './json-spans.js';
import type { UpstreamSink } from './port.js';

/** Of all answers that are held. */
export interface HeldBytes {
  now: number;
}

export interface AnswerHolding {
  /** Of one answer. */
  readonly maxBytes: number;
  /** Different spaces that the policy is asked about for one list. */
  readonly spacesMax: number;
  readonly inProgressMax: number;
  readonly heldBytes: HeldBytes;
  readonly meter: Meter;
}

/** Who passes the answer on. */
export interface AnswerTaker extends UpstreamSink {
  /** For the record of the outcome. */
  finding: AnswerFinding | null;
  /** Nothing of the answer goes out: this refusal does. */
  lost(why: Refusal): void;
}

interface Facts {
  readonly rule: AnswerRule;
  readonly sees: Sees;
  readonly holding: AnswerHolding;
}

const jsonType = /^application\/(?:[a-z0-9.-]+\+)?json[ \t]*(?:;|$)/i;
/** Of an answer that is not passed on as it is, only what tells nothing of what was left out. The taker looks at the framing. */
const filteredHeaders: ReadonlySet<string> = new Set(['content-type', 'date', 'transfer-encoding']);
const bareHeaders: ReadonlySet<string> = new Set(['date', 'retry-after', 'transfer-encoding']);

/** Takes an answer whole, looks whose it is, and only then passes on what the caller may see. */
export class HeldAnswer implements UpstreamSink {
  readonly #taker: AnswerTaker;
  readonly #facts: Facts;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #status = 0;
  #headers: readonly string[] = [];

  constructor(taker: AnswerTaker, facts: Facts) {
    this.#taker = taker;
    this.#facts = facts;
  }

  /** Gives back what it holds, however it ended. */
  release(): void {
    this.#facts.holding.heldBytes.now -= this.#bytes;
    this.#bytes = 0;
    this.#chunks = [];
  }

  begin(): boolean {
    return this.#taker.begin();
  }

  head(status: number, headers: readonly string[]): void {
    this.#status = status;
    this.#headers = headers;
    if (isBare(status)) return;
    if (status !== 200 && status !== 201) throw unread(`status ${String(status)}`);
    const encoding = valueOf(headers, 'content-encoding')?.toLowerCase() ?? 'identity';
    if (encoding !== 'identity') throw unread('a content encoding');
    if (!jsonType.test(valueOf(headers, 'content-type') ?? '')) throw unread('not application/json');
    this.#fits(Number(valueOf(headers, 'content-length') ?? 0));
  }

  data(chunk: Buffer): boolean {
    if (isBare(this.#status)) return true;
    this.#fits(this.#bytes + chunk.length);
    const { heldBytes, inProgressMax } = this.#facts.holding;
    if (heldBytes.now + chunk.length > inProgressMax)
      throw new Fault(
        'upstream.busy',
        `upstream.objects.answer_bytes_in_progress of ${String(inProgressMax)} is reached`,
      );
    heldBytes.now += chunk.length;
    this.#bytes += chunk.length;
    this.#chunks.push(chunk);
    return true;
  }

  end(): void {
    try {
      this.#ended();
    } catch (thrown) {
      this.failed(
        thrown instanceof Fault ? thrown : new Fault('self.bug', 'an answer was not judged', { cause: thrown }),
      );
    }
  }

  failed(why: Parameters<UpstreamSink['failed']>[0]): void {
    if (why instanceof Fault && why.code === 'upstream.unchecked') this.#facts.holding.meter.answerJudged('unread');
    this.#taker.failed(why);
  }

  #fits(bytes: number): void {
    const { maxBytes } = this.#facts.holding;
    if (!(bytes <= maxBytes)) throw unread(`over upstream.objects.answer_max_bytes of ${String(maxBytes)}`);
  }

  #ended(): void {
    const { rule } = this.#facts;
    const isAbsent = this.#status === 404 || this.#status === 410;
    if (isAbsent && rule.kind === 'check') this.#refuse('absent');
    else if (isBare(this.#status)) this.#pass(Buffer.alloc(0), bareHeaders);
    else this.#judge();
  }

  #judge(): void {
    const { rule, sees } = this.#facts;
    const bytes = Buffer.concat(this.#chunks);
    const { text, removed } = readable(() => judge(spansOf(bytes), rule, sees));
    if (text === null) {
      this.#refuse('foreign');
      return;
    }
    const isFiltered = rule.kind === 'filter';
    this.#found({ result: isFiltered ? 'filtered' : 'passed', removed });
    if (isFiltered) this.#pass(Buffer.from(text), filteredHeaders);
    else this.#pass(bytes, null);
  }

  #refuse(result: 'foreign' | 'absent'): void {
    this.#found({ result, removed: 0 });
    this.#taker.lost(refuse('object.unknown', `the answer is ${result}`));
  }

  #found(finding: AnswerFinding): void {
    this.#facts.holding.meter.answerJudged(finding.result);
    this.#taker.finding = finding;
  }

  /** @param only names that pass; null for all */
  #pass(body: Buffer, only: ReadonlySet<string> | null): void {
    const list = this.#headers.filter((_, index) => {
      const name = (this.#headers[index - (index % 2)] ?? '').toLowerCase();
      return only === null ? name !== 'content-length' : only.has(name);
    });
    if (only !== null) list.push('Cache-Control', 'private');
    if (this.#status !== 204) list.push('Content-Length', String(body.length));
    this.#taker.head(this.#status, list);
    if (body.length > 0) this.#taker.data(body);
    this.#taker.end();
  }
}

/** Nothing of its body is passed on: an error may tell as much as an answer. */
const isBare = (status: number): boolean => status >= 400 || status === 204;

const unread = (detail: string): Fault => new Fault('upstream.unchecked', detail);

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    if (thrown instanceof Unreadable) throw unread(thrown.message);
    throw thrown;
  }
}

/** The values of a header, joined where it stands more than once: that is none of the accepted ones. */
export function valueOf(headers: readonly string[], name: string): string | null {
  const values: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (headers[i]?.toLowerCase() === name) values.push(headers[i + 1] ?? '');
  return values.length === 0 ? null : values.join(',');
}
