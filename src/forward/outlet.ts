import type { Socket } from 'node:net';
import { Fault } from '../model/codes.js';
import { FrameWalk } from './frame-walk.js';
import type { Peer } from './port.js';

/** What comes from the memory server of a tunnel: passed on as it comes, frame by frame followed. */
export class Outlet {
  readonly #walk: FrameWalk;
  readonly #broken: (fault: Fault) => void;
  #isOver = false;
  passedBytes = 0;

  constructor(mayCompress: boolean, broken: (fault: Fault) => void) {
    this.#walk = new FrameWalk({ isMasked: false, mayCompress });
    this.#broken = broken;
  }

  get isClosed(): boolean {
    return this.#walk.isClosed;
  }

  get isBetweenFrames(): boolean {
    return this.#walk.isBetweenFrames;
  }

  begin({ socket: server, surplus }: Peer, client: Socket): void {
    const take = (chunk: Buffer): void => {
      if (!this.#isOver && this.#follows(chunk) && !client.write(chunk)) server.pause();
    };
    client.on('drain', () => server.resume());
    server.on('data', take);
    if (surplus.length > 0) take(surplus);
    server.resume();
  }

  end(): void {
    this.#isOver = true;
  }

  #follows(chunk: Buffer): boolean {
    try {
      this.#walk.passed(chunk);
      this.passedBytes += chunk.length;
      return true;
    } catch (thrown) {
      this.#broken(new Fault('upstream.invalid', thrown instanceof Error ? thrown.message : '', { cause: thrown }));
      return false;
    }
  }
}
