import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Share } from '../model/place.js';
import type { Upgrade } from '../model/request.js';
import type { Turn } from './open-sockets.js';

/** What a client has asked, and where it is answered. */
export interface Asked {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upgrade?: Upgrade | null;
}

const ignored = (): void => undefined;

/** A request whose turn comes when everything before it on its connection is answered. */
export class RequestTurn implements Turn {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upgrade: Upgrade | null;
  readonly #serve: (turn: RequestTurn, share: Share) => void;
  /** Of the decision; known once it began. */
  id = '';

  constructor({ request, response, upgrade = null }: Asked, serve: (turn: RequestTurn, share: Share) => void) {
    this.upgrade = upgrade;
    this.request = request;
    this.response = response;
    this.#serve = serve;
    request.on('error', ignored); // told to whoever reads the body; nobody else needs it
    response.on('error', ignored);
  }

  begin(share: Share): void {
    this.#serve(this, share);
  }
}
