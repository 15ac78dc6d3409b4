/**
 * Takes a stream of events apart and puts the data of each through `change`; names, ids and comments stay as they are.
 * Holds no more than the event that is under way.
 *
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventFilter {
  readonly #change: (data: string) => string;
  /** Half of a line end, perhaps. */
  #carriageReturn = '';
  #pending = '';

  /** @param change of an event's whole data */
  constructor(change: (data: string) => string) {
    this.#change = change;
  }

  /** Characters of the event that is under way. One that never becomes complete counts for nothing: readers drop it, and so do we. */
  get pending(): number {
    return this.#pending.length;
  }

  /** @returns the events that are complete, changed */
  push(text: string): string {
    const joined = this.#carriageReturn + text;
    this.#carriageReturn = joined.endsWith('\r') ? '\r' : '';
    let from = Math.max(0, this.#pending.length - 1);
    this.#pending += joined.slice(0, joined.length - this.#carriageReturn.length).replaceAll(/\r\n?/g, '\n');
    let passed = '';
    for (;;) {
      const end = this.#pending.indexOf('\n\n', from);
      if (end < 0) return passed;
      passed += this.#changed(this.#pending.slice(0, end));
      this.#pending = this.#pending.slice(end + 2);
      from = 0;
    }
  }

  #changed(event: string): string {
    const lines = event.split('\n').filter((line) => line !== '');
    const data = lines.filter(isData).map((line) => line.replace(/^data:? ?/, ''));
    const others = lines.filter((line) => !isData(line));
    const changed = data.length === 0 ? [] : this.#change(data.join('\n')).split('\n');
    return `${[...others, ...changed.map((line) => `data: ${line}`)].join('\n')}\n\n`;
  }
}

const isData = (line: string): boolean => line === 'data' || line.startsWith('data:');
