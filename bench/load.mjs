// An open-loop load: requests leave at their scheduled times whatever the answers do, and waiting for a connection counts. What the
// generator itself is late by (its timer ticks in ms) does not: it is told apart, as `lateness`.
import { connect } from 'node:net';

const headEnd = Buffer.from('\r\n\r\n');
const waitMsMax = 10_000;

/** One kept connection with at most one request under way. */
class Connection {
  #socket;
  #rest = Buffer.alloc(0);
  #current = null;
  #onFree;

  constructor({ hostname, port }, onFree) {
    this.#onFree = onFree;
    this.#socket = connect(Number(port), hostname).setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#take(chunk));
    this.#socket.on('error', (error) => this.#end(0, error.code ?? error.message));
    this.#socket.on('close', () => this.#end(0, 'closed'));
  }

  get isOpen() {
    return !this.#socket.destroyed;
  }

  send(request) {
    this.#current = request;
    this.#socket.write(request.bytes);
  }

  close() {
    this.#socket.destroy();
  }

  #take(chunk) {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const end = this.#rest.indexOf(headEnd);
    if (end < 0) return;
    const head = this.#rest.toString('latin1', 0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) {
      this.#end(0, 'an answer without a length');
      return;
    }
    const whole = end + headEnd.length + Number(length);
    if (this.#rest.length < whole) return;
    this.#rest = this.#rest.subarray(whole);
    this.#end(Number(head.slice(9, 12)), null);
  }

  #end(status, error) {
    const request = this.#current;
    this.#current = null;
    request?.done({ status, error });
    if (request !== null) this.#onFree(this);
  }
}

/**
 * Sends `rate` requests a second for `seconds`.
 *
 * @param target where to, as a URL
 * @param options `next(n)` gives the bytes of the n-th request; `connections` is the most that are open
 * @returns `latencies` in ms, sorted; `problems` by name with their counts; `lateness` of the generator, in ms
 */
export async function openLoop(target, { rate, seconds, connections, next }) {
  const latencies = new Float64Array(rate * seconds);
  const problems = new Map();
  const lateness = [];
  const free = [];
  const waiting = [];
  const open = new Set();
  const total = rate * seconds;
  let settled = 0;
  let measured = 0;
  let resolveAll = () => undefined;
  const all = new Promise((resolve) => (resolveAll = resolve));

  const place = (connection) => {
    if (!connection.isOpen) open.delete(connection);
    const request = waiting.shift();
    if (!connection.isOpen) {
      if (request !== undefined) start(request);
    } else if (request !== undefined) connection.send(request);
    else free.push(connection);
  };
  const start = (request) => {
    let connection = free.pop();
    while (connection !== undefined && !connection.isOpen) connection = free.pop();
    if (connection === undefined && open.size < connections) {
      connection = new Connection(target, place);
      open.add(connection);
    }
    if (connection === undefined) waiting.push(request);
    else connection.send(request);
  };

  const zero = performance.now() + 50;
  const dueOf = (n) => zero + (n * 1_000) / rate;
  let sent = 0;
  const pump = () => {
    const now = performance.now();
    for (; sent < total && dueOf(sent) <= now; sent += 1) {
      const n = sent;
      lateness.push(now - dueOf(n));
      start({
        bytes: next(n),
        done: ({ status, error }) => {
          latencies[measured++] = performance.now() - now;
          if (status < 200 || status > 299) {
            const name = error ?? `status ${status}`;
            problems.set(name, (problems.get(name) ?? 0) + 1);
          }
          settled += 1;
          if (settled === total) resolveAll();
        },
      });
    }
    if (sent < total) setTimeout(pump, 1);
  };
  pump();
  const timeout = setTimeout(
    () => {
      problems.set('no answer', total - settled);
      resolveAll();
    },
    seconds * 1_000 + waitMsMax,
  );
  await all;
  clearTimeout(timeout);
  for (const connection of open) connection.close();
  return { latencies: latencies.subarray(0, measured).sort(), problems, lateness, sent: total };
}
