import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly status: number;
}

/** A file server as teams have them: one bundle at one path, with an ETag; it may hold a question until the bundle changes. */
export class BundleStore {
  readonly asked: Asked[] = [];
  /** Answers instead of the bundle while it is set. */
  fault: ((response: ServerResponse) => void) | null = null;
  holds = false;
  /** Served under `/plain.tar.gz`: for who has no engine for WebAssembly. */
  plain: Buffer | null = null;
  token: string | null = null;
  url = '';
  #bytes: Buffer;
  readonly #waiting = new Set<() => void>();
  readonly #server = createServer((request, response) => {
    const known = request.headers['if-none-match'];
    if (this.plain !== null && request.url === '/plain.tar.gz') {
      response.writeHead(200, { 'content-type': 'application/gzip' }).end(this.plain);
      return;
    }
    const told = (status: number): void => void this.asked.push({ headers: request.headers, status });
    const answer = (): void => {
      if (response.destroyed) return;
      if (this.fault !== null) {
        told(0);
        this.fault(response);
        return;
      }
      const isUnknown = this.token !== null && request.headers.authorization !== `Bearer ${this.token}`;
      const status = isUnknown ? 401 : known === this.etag ? 304 : 200;
      told(status);
      const type = this.holds ? 'application/vnd.openpolicyagent.bundles' : 'application/gzip';
      response.writeHead(status, { etag: this.etag, 'content-type': type });
      response.end(status === 200 ? this.#bytes : undefined);
    };
    const waits = /wait=(\d+)/.exec(String(request.headers.prefer ?? ''))?.[1];
    if (!this.holds || waits === undefined || known !== this.etag) {
      answer();
      return;
    }
    const timer = setTimeout(() => go(), Number(waits) * 1_000);
    const go = (): void => {
      clearTimeout(timer);
      this.#waiting.delete(go);
      answer();
    };
    this.#waiting.add(go);
    response.once('close', () => {
      clearTimeout(timer);
      this.#waiting.delete(go);
    });
  });

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get etag(): string {
    return `"${createHash('sha256').update(this.#bytes).digest('hex').slice(0, 16)}"`;
  }

  /** Questions that are held. */
  get waiting(): number {
    return this.#waiting.size;
  }

  async open(port = 0): Promise<this> {
    await new Promise((resolve) => this.#server.listen(port, '127.0.0.1', () => resolve(null)));
    this.url = `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}/memgate.tar.gz`;
    return this;
  }

  put(bytes: Buffer): void {
    this.#bytes = bytes;
    for (const go of [...this.#waiting]) go();
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}
