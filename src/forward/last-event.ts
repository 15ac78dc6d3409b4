import type { ServerResponse } from 'node:http';
import { faults, Fault, refusals, type Refusal } from '../model/codes.js';

const isEventStream = /^text\/event-stream[ \t]*(?:;|$)/i;
/** As many characters as tell whether an event is over: two line ends of two bytes. */
const tailLength = 4;
/** How long a client may take to read its last event, in ms. */
const lingerMs = 500;

/** Where a stream of events stands, so that a last one can be put behind it. */
export class EventStream {
  #tail = '';

  /** @param headers names and values alternating, as they go to the client. @returns null where the answer is no stream of events that could be added to */
  static of(headers: readonly string[]): EventStream | null {
    let isOne = false;
    for (let i = 0; i + 1 < headers.length; i += 2) {
      const name = (headers[i] ?? '').toLowerCase();
      if (name === 'content-encoding' || name === 'content-length') return null;
      if (name === 'content-type') isOne = isEventStream.test(headers[i + 1] ?? '');
    }
    return isOne ? new EventStream() : null;
  }

  passed(chunk: Buffer): void {
    const end = chunk.toString('latin1', Math.max(0, chunk.length - tailLength));
    this.#tail = `${this.#tail}${end}`.slice(-tailLength);
  }

  /**
   * Ends it in order, with an event that says why.
   *
   * @returns false in the middle of an event: whatever came behind it would make a whole one of its half
   */
  close(response: ServerResponse, why: Refusal | Fault, id: string): boolean {
    if (!this.#isBetweenEvents()) return false;
    response.end(lastEvent(why, id));
    setTimeout(() => response.destroy(), lingerMs).unref(); // who does not read is not waited for
    return true;
  }

  #isBetweenEvents(): boolean {
    return this.#tail === '' || this.#tail.replaceAll('\r\n', '\n').replaceAll('\r', '\n').endsWith('\n\n');
  }
}

/** After a shutdown a client may come back soon; after anything else it is told at the next request. */
function lastEvent(why: Refusal | Fault, id: string): string {
  const { say } = why instanceof Fault ? faults[why.code] : refusals[why.code];
  const data = JSON.stringify({ code: why.code, detail: say, instance: `urn:memgate:decision:${id}` });
  const retry = why.code === 'lease.shutdown' ? 'retry: 1000\n' : '';
  return `${retry}event: memgate-closed\ndata: ${data}\n\n`;
}
