import { IncomingMessage, ServerResponse } from 'node:http';
import type { Upgrade } from '../model/request.js';
import type { Asked } from './turn.js';

/**
 * A message of Node that is an upgrade only where it asks for a WebSocket. With a listener for upgrades Node takes every `Upgrade`
 * for one and stops reading the body; some clients send `h2c` with each request.
 */
export class ClientMessage extends IncomingMessage {
  declare isAsked: boolean | null;

  get upgrade(): boolean {
    return this.isAsked === true && this.headers.upgrade?.toLowerCase() === 'websocket';
  }

  /** Told by the parser, and by Node when it has looked who listens. */
  set upgrade(isAsked: boolean | null) {
    this.isAsked = isAsked;
  }
}

/** An upgrade, and the answer on its connection, which Node has let go of; whatever it is, no other request comes behind it. */
export function upgradeOf(request: IncomingMessage, surplus: Buffer): Asked & { readonly upgrade: Upgrade } {
  const { socket } = request;
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.on('finish', () => {
    socket.destroySoon();
  });
  return { request, response, upgrade: { socket, surplusBytes: surplus.length } };
}
