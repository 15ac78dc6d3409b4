import { Line, type Waiter } from './line.js';
import { Shares } from './shares.js';

/** Work that only a few may do at a time; who waits is served subject by subject, and nobody has all places. */
export class Turns {
  readonly #shares: Shares;
  readonly #line: Line<Waiting>;

  /** @param queue how many may wait */
  constructor(places: number, queue: number) {
    this.#shares = new Shares(places);
    this.#line = new Line(queue, 'upstream.objects.lookup_queue');
  }

  /** @throws Fault `upstream.busy` where nobody else may wait */
  async take<T>(subject: string, work: () => Promise<T>): Promise<T> {
    if (this.#shares.mayTake(subject)) this.#shares.take(subject);
    else
      await new Promise<void>((start) => {
        this.#line.join({ subject, start });
      }); // who lets it start has taken its place
    try {
      return await work();
    } finally {
      this.#shares.leave(subject);
      this.#serve();
    }
  }

  #serve(): void {
    const may = (subject: string): boolean => this.#shares.mayTake(subject);
    for (let next = this.#line.next(may); next !== null; next = this.#line.next(may)) {
      this.#shares.take(next.subject);
      next.start();
    }
  }
}

interface Waiting extends Waiter {
  start(): void;
}
