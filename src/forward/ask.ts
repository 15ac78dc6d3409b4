import { Fault } from '../model/codes.js';
import type { LookupRule, ObjectQuestion } from '../model/object.js';
import type { SpaceSet } from '../model/target.js';
import { refusedRequest } from './call.js';
import { valueOf } from './held-answer.js';
import { spansOf } from './json-answer.js';
import { Unreadable, type JsonSpans } from './json-spans.js';
import type { Upstream, UpstreamCall, UpstreamSink } from './port.js';

export interface AskContext {
  readonly upstream: Upstream;
  /** Names and values of what the memory server wants to see from us, where these spaces are stated. */
  readonly credential: (spaces: SpaceSet) => readonly string[];
  readonly options: { readonly timeoutMs: number; readonly maxBytes: number };
}

/** Asks the memory server once. */
export async function ask(context: AskContext, question: ObjectQuestion): Promise<string | null> {
  const bytes = await fetched(context, question);
  return bytes === null ? null : read(bytes, question);
}

/** @returns null where the memory server does not know the object */
function fetched({ upstream, options, credential }: AskContext, question: ObjectQuestion): Promise<Buffer | null> {
  const { timeoutMs, maxBytes } = options;
  const { target, subject, spaces } = question;
  const headers = ['Accept', 'application/json', 'Accept-Encoding', 'identity', ...credential(spaces)];
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      sink.abort();
      reject(new Fault('upstream.timeout', 'upstream.objects.lookup_timeout_ms is over'));
    }, timeoutMs);
    const sink = new Asked(maxBytes, {
      found: (bytes) => {
        clearTimeout(timer);
        resolve(bytes);
      },
      failed: (why) => {
        clearTimeout(timer);
        reject(why);
      },
    });
    const use = { kind: 'request', subject } as const;
    sink.start(() =>
      upstream.send({ use, method: 'GET', target, headers, body: null, bodyTimeoutMs: timeoutMs }, sink),
    );
  });
}

interface Ending {
  /** @param bytes null where the memory server does not know the object */
  found(bytes: Buffer | null): void;
  failed(why: Error): void;
}

class Asked implements UpstreamSink {
  readonly #maxBytes: number;
  readonly #ending: Ending;
  readonly #chunks: Buffer[] = [];
  #call: UpstreamCall | null = null;
  #bytes = 0;
  #isAbsent = false;

  constructor(maxBytes: number, ending: Ending) {
    this.#maxBytes = maxBytes;
    this.#ending = ending;
  }

  start(send: () => UpstreamCall): void {
    try {
      this.#call = send();
    } catch (thrown) {
      this.failed(thrown instanceof Fault ? thrown : refusedRequest(thrown));
    }
  }

  abort(): void {
    this.#call?.abort();
  }

  begin(): boolean {
    return true;
  }

  head(status: number, headers: readonly string[]): void {
    this.#isAbsent = status === 404 || status === 410;
    if (this.#isAbsent) return;
    if (status === 401) throw new Fault('upstream.credential', 'the memory server answered 401 to a look-up');
    if (status !== 200) throw unread(`status ${String(status)}`);
    if ((valueOf(headers, 'content-encoding') ?? 'identity').toLowerCase() !== 'identity') throw unread('an encoding');
  }

  data(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#maxBytes)
      throw unread(`over upstream.objects.lookup_max_bytes of ${String(this.#maxBytes)}`);
    this.#chunks.push(chunk);
    return true;
  }

  end(): void {
    this.#ending.found(this.#isAbsent ? null : Buffer.concat(this.#chunks));
  }

  failed(why: Error): void {
    this.#ending.failed(why);
  }
}

const unread = (what: string): Fault => new Fault('upstream.unchecked', `a look-up was answered with ${what}`);

function read(bytes: Buffer, { rule, id }: ObjectQuestion): string | null {
  try {
    const spans = spansOf(bytes);
    return rule.list === null ? textAt(spans, rule) : member(spans, rule, id);
  } catch (thrown) {
    if (thrown instanceof Unreadable) throw unread(thrown.message);
    throw thrown;
  }
}

function textAt(spans: JsonSpans, { field }: LookupRule): string | null {
  const place = spans.at(spans.root, field);
  return place === null ? null : spans.string(place);
}

function member(spans: JsonSpans, { list, field }: LookupRule, id: string): string | null {
  const place = spans.at(spans.root, list ?? []);
  const items = place === null ? null : spans.items(place);
  if (items === null) throw new Unreadable('no list where the profile says');
  const isIt = items.some((item) => {
    const found = spans.at(item, field);
    return found !== null && spans.string(found) === id;
  });
  return isIt ? id : null;
}
