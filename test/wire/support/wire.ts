import { connect, type Socket } from 'node:net';

/** One answer, as it came. */
export interface Answer {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Buffer;
  /** False when the connection ended before the body did. */
  readonly isWhole: boolean;
  /** The first value of a name, whatever its case. */
  header(name: string): string | undefined;
  /** The body as JSON; undefined when it is none. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- parsed JSON, read as it comes
  json(): any;
}

/** What came of one connection. */
export interface Exchange {
  /** Final answers, in order. */
  readonly answers: readonly Answer[];
  /** Status codes below 200 that came before them. */
  readonly interim: readonly number[];
  readonly bytes: Buffer;
  /** Ms from the last byte of the last answer to the end of the connection; null when it stayed open. */
  readonly closedAfterMs: number | null;
  readonly isClosed: boolean;
  /** True when the peer ended it with RST. */
  readonly wasReset: boolean;
  readonly durationMs: number;
}

export interface ConnectOptions {
  readonly port: number;
  readonly localAddress?: string | undefined;
  /** Answers are to HEAD: they have no body. All of them, or those of which it says so by their number. */
  readonly head?: boolean | ((at: number) => boolean) | undefined;
}

const toBytes = (bytes: string | Buffer): Buffer => (typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);

/** A raw client on one connection. */
export class Client {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #isHead: (at: number) => boolean;
  readonly #startedMs = performance.now();
  #bytes: Buffer | null = null;
  #lastByteMs = 0;
  #closedMs: number | null = null;
  #wasReset = false;

  private constructor(socket: Socket, isHead: (at: number) => boolean) {
    this.socket = socket;
    this.#isHead = isHead;
    socket.on('data', (chunk) => {
      this.#chunks.push(chunk);
      this.#bytes = null;
      this.#lastByteMs = performance.now();
      this.#look();
    });
    socket.on('error', (error) => {
      if ('code' in error && error.code === 'ECONNRESET') this.#wasReset = true;
    });
    const closed = (): void => {
      this.#closedMs ??= performance.now();
      this.#look();
    };
    socket.on('end', closed).on('close', closed);
  }

  static async open(options: ConnectOptions): Promise<Client> {
    const { port, localAddress, head = false } = options;
    const socket = connect({
      host: '127.0.0.1',
      port,
      noDelay: true,
      ...(localAddress !== undefined && { localAddress }),
    });
    const client = new Client(socket, typeof head === 'boolean' ? () => head : head);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve).once('error', reject);
    });
    return client;
  }

  write(bytes: string | Buffer): void {
    if (!this.socket.destroyed) this.socket.write(toBytes(bytes));
  }

  get bytes(): Buffer {
    return (this.#bytes ??= Buffer.concat(this.#chunks));
  }

  get isClosed(): boolean {
    return this.#closedMs !== null;
  }

  get answers(): readonly Answer[] {
    return readAnswers(this.bytes, this.#isHead, this.isClosed).answers;
  }

  get interim(): readonly number[] {
    return readAnswers(this.bytes, this.#isHead, this.isClosed).interim;
  }

  /** Waits until `test` holds. @returns false when the time was over first */
  async until(test: () => boolean, timeoutMs = 5_000): Promise<boolean> {
    if (test()) return true;
    return new Promise((resolve) => {
      const look = (): void => {
        if (!test()) return;
        settle(true);
      };
      const settle = (held: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(held);
      };
      const timer = setTimeout(() => settle(false), timeoutMs);
      this.#waiting.add(look);
    });
  }

  /** What there is so far. */
  exchange(): Exchange {
    const { answers, interim } = readAnswers(this.bytes, this.#isHead, this.isClosed);
    return {
      answers,
      interim,
      bytes: this.bytes,
      isClosed: this.isClosed,
      wasReset: this.#wasReset,
      closedAfterMs: this.#closedMs === null ? null : this.#closedMs - (this.#lastByteMs || this.#startedMs),
      durationMs: performance.now() - this.#startedMs,
    };
  }

  close(): void {
    this.socket.destroy();
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}

export type Step =
  | string
  | Buffer
  | { readonly waitMs: number }
  /** Goes on when that many final answers are here, or the connection is closed. */
  | { readonly answers: number }
  /** Goes on when this text has arrived, or the connection is closed. */
  | { readonly until: string }
  | { readonly end: 'FIN' };

export interface SendOptions extends Omit<ConnectOptions, 'port'> {
  /** Final answers to wait for. A `Connection: close` ends the waiting at the close. */
  readonly answers?: number | undefined;
  readonly timeoutMs?: number | undefined;
}

/** Longest wait for a close that was announced. */
const closeWaitMs = 2_000;

/** Sends steps on a new connection and reads until the answers are here, or the end. */
export async function send(port: number, steps: Step | readonly Step[], options: SendOptions = {}): Promise<Exchange> {
  const { answers = 1, timeoutMs = 5_000, ...place } = options;
  const client = await Client.open({ port, ...place });
  try {
    for (const step of Array.isArray(steps) ? (steps as readonly Step[]) : [steps as Step])
      await take(client, step, timeoutMs);
    await client.until(
      () => client.isClosed || client.answers.filter(({ isWhole }) => isWhole).length >= answers,
      timeoutMs,
    );
    const isClosing = client.answers.at(-1)?.header('connection')?.toLowerCase() === 'close';
    if (isClosing) await client.until(() => client.isClosed, closeWaitMs);
    return client.exchange();
  } finally {
    client.close();
  }
}

async function take(client: Client, step: Step, timeoutMs: number): Promise<void> {
  if (typeof step === 'string' || Buffer.isBuffer(step)) client.write(step);
  else if ('end' in step) client.socket.end();
  else if ('waitMs' in step) await new Promise((resolve) => setTimeout(resolve, step.waitMs));
  else if ('answers' in step)
    await client.until(() => client.isClosed || client.answers.length >= step.answers, timeoutMs);
  else await client.until(() => client.isClosed || client.bytes.includes(step.until), timeoutMs);
}

function readAnswers(
  bytes: Buffer,
  isHead: (at: number) => boolean,
  isClosed: boolean,
): { answers: Answer[]; interim: number[] } {
  const answers: Answer[] = [];
  const interim: number[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n', at);
    if (end < 0) return { answers, interim };
    const [first = '', ...lines] = bytes.toString('latin1', at, end).split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1] ?? 0);
    const headers = lines.map(
      (line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const,
    );
    if (status >= 100 && status < 200) {
      interim.push(status);
      at = end + 4;
      continue;
    }
    const header = (name: string): string | undefined =>
      headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
    const isBodiless = isHead(answers.length) || status === 204 || status === 304;
    const read = isBodiless ? { body: Buffer.alloc(0), next: end + 4 } : readBody(bytes, end + 4, header);
    const body = read?.body ?? bytes.subarray(end + 4);
    const isUntilClose =
      !isBodiless && header('content-length') === undefined && header('transfer-encoding') === undefined;
    answers.push({
      status,
      headers,
      header,
      body,
      isWhole: read !== null || (isUntilClose && isClosed),
      json: () => parse(body),
    });
    if (read === null) return { answers, interim };
    at = read.next;
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}

function readBody(
  bytes: Buffer,
  at: number,
  header: (name: string) => string | undefined,
): { body: Buffer; next: number } | null {
  const length = header('content-length');
  if (length !== undefined) {
    const next = at + Number(length);
    return next <= bytes.length ? { body: bytes.subarray(at, next), next } : null;
  }
  if (header('transfer-encoding') !== 'chunked') return null;
  const parts: Buffer[] = [];
  for (let from = at; ;) {
    const line = bytes.indexOf('\r\n', from);
    if (line < 0) return null;
    const size = Number.parseInt(bytes.toString('latin1', from, line), 16);
    const next = line + 2 + size + 2;
    if (!(next <= bytes.length)) return null;
    if (size === 0) return { body: Buffer.concat(parts), next };
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    from = next;
  }
}
