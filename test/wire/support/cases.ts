import type { Test } from 'tap';
import type { AuditRecord } from './audit.js';
import { before, checkInvariants, good, type Allowances, type Before } from './invariants.js';
import type { KeyName } from './keys.js';
import type { Program } from './program.js';
import type { RecordedRequest, Recorder } from './recorder.js';
import { send, type Answer, type Exchange, type SendOptions, type Step } from './wire.js';

/** Statuses whose connection is closed as well. */
const closing: ReadonlySet<number> = new Set([400, 404, 405, 413, 415, 417, 421, 431, 501, 505]);
const closeMsMax = 1_000;

export const H = 'Host: localhost:8080\r\n';
export const SA = 'X-Memory-Space: alpha\r\n';
export const SB = 'X-Memory-Space: beta\r\n';
export const J = 'Content-Type: application/json\r\n';

export interface Refused {
  /** Wanted status, or any of several where a case leaves the choice. */
  readonly status: number | readonly number[];
  /** Wanted code of the record. */
  readonly code?: string | RegExp;
  /** Where to send it; the gateway when absent. */
  readonly port?: number;
}

/** One case while it runs. Everything sent through it is part of what the invariants look at. */
export class Case {
  readonly t: Test;
  readonly program: Program;
  readonly from: Before;
  readonly exchanges: Exchange[] = [];

  constructor(t: Test, program: Program, from: Before) {
    this.t = t;
    this.program = program;
    this.from = from;
  }

  get recorder(): Recorder {
    return this.program.recorder;
  }

  /** What has reached the upstream since the case began. */
  get forwarded(): readonly RecordedRequest[] {
    return this.recorder.requestsSince(this.from.recorder);
  }

  /** Records since the case began. */
  get records(): readonly AuditRecord[] {
    return this.program.audit.since(this.from.audit);
  }

  get good(): string {
    return good(this.program);
  }

  /** `Authorization` line of a key. */
  key(name: KeyName | 'ST'): string {
    return `Authorization: Bearer ${name === 'ST' ? this.program.keys.ST : this.program.keys[name].text}\r\n`;
  }

  /** GET as KA in alpha, with further header lines. */
  get(target: string, more = ''): string {
    return `GET ${target} HTTP/1.1\r\n${H}${this.key('KA')}${SA}${more}\r\n`;
  }

  /** GOOD with further header lines. */
  goodWith(more: string): string {
    return this.get('/api/v1/memories/recall?q=x', more);
  }

  /** REM(b) of the fixture, with further header lines. */
  remember(body: string, more = ''): string {
    const bytes = Buffer.byteLength(body, 'latin1');
    return `POST /api/v1/memories/remember HTTP/1.1\r\n${H}${this.key('KA')}${SA}${J}${more}Content-Length: ${bytes}\r\n\r\n${body}`;
  }

  /** The same, with any framing: the head of a remember up to its last line. */
  rememberHead(more: string): string {
    return `POST /api/v1/memories/remember HTTP/1.1\r\n${H}${this.key('KA')}${SA}${J}${more}\r\n`;
  }

  async send(steps: Step | readonly Step[], options: SendOptions & { readonly port?: number } = {}): Promise<Exchange> {
    const { port = this.program.port, ...rest } = options;
    const exchange = await send(port, steps, rest);
    this.exchanges.push(exchange);
    return exchange;
  }

  /** Waits for the record that refuses an answer's request. */
  refusalRecord(answer: Answer | undefined): Promise<AuditRecord> {
    const id = answer?.header('x-request-id');
    return this.program.audit.find(this.from.audit, (record) => record.id === id && record.effect === 'deny');
  }

  /**
   * `R400` and its like: the status in the documented shape, nothing at the recorder, one record with a reason code; and where
   * the status says so, `Connection: close` and a closed socket within a second.
   */
  async refused(name: string, steps: Step | readonly Step[], wanted: Refused & SendOptions): Promise<Exchange> {
    const { status, code, ...options } = wanted;
    const atUpstream = this.recorder.received;
    const exchange = await this.send(steps, options);
    const [answer] = exchange.answers;
    const statuses = typeof status === 'number' ? [status] : status;
    this.t.ok(
      statuses.includes(answer?.status ?? 0),
      `${name}: ${statuses.join(' or ')} (got ${answer?.status ?? 'no answer'})`,
    );
    this.t.equal(exchange.answers.length, 1, `${name}: one answer`);
    this.t.equal(this.recorder.received - atUpstream, 0, `${name}: the recorder got 0 bytes`);
    if (closing.has(answer?.status ?? 0)) {
      this.t.equal(answer?.header('connection')?.toLowerCase(), 'close', `${name}: Connection: close`);
      this.t.ok((exchange.closedAfterMs ?? Infinity) <= closeMsMax, `${name}: closed within 1 s`);
    }
    const record = await this.refusalRecord(answer).catch(() => null);
    this.t.type(record?.code, 'string', `${name}: a record with a code`);
    if (code !== undefined) this.t.match(record?.code, code, `${name}: the code`);
    return exchange;
  }

  /** `PASS`: 200, and the recorder got exactly one request. @returns that request */
  async passes(name: string, steps: Step | readonly Step[], options: SendOptions = {}): Promise<RecordedRequest> {
    const count = this.forwarded.length;
    const { answers } = await this.send(steps, options);
    this.t.strictSame(
      answers.map(({ status }) => status),
      [200],
      `${name}: 200`,
    );
    this.t.equal(this.forwarded.length - count, 1, `${name}: one request at the recorder`);
    const request = this.forwarded[count];
    if (request === undefined) throw new Error(`${name}: nothing reached the recorder`);
    return request;
  }
}

/** One case of security-cases.md: a subtest by its id, the invariants checked behind it, the recorder's script reset. */
export function wireCase(
  t: Test,
  program: Program,
  facts: { readonly name: string; readonly allow?: Allowances },
  run: (one: Case) => Promise<void>,
): Promise<unknown> {
  return t.test(facts.name, async (t) => {
    const one = new Case(t, program, await before(program));
    try {
      await run(one);
    } finally {
      program.recorder.script({});
    }
    await checkInvariants(t, program, { before: one.from, exchanges: one.exchanges, allow: facts.allow ?? {} });
  });
}
