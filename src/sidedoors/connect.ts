import { connect } from 'node:net';

/** One address and port of this machine. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

/** Longest wait for a connection to an address of the machine itself. */
const connectMs = 500;
/** Connections under way at a time: a look must not be felt. */
const atOnce = 4;

/** Whether something takes connections there. Nothing is sent, and the connection is closed at once. */
function isOpen({ address, port }: Place, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(false);
      return;
    }
    const socket = connect({ host: address, port });
    const settle = (open: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', giveUp);
      socket.destroy();
      resolve(open);
    };
    const giveUp = (): void => {
      settle(false);
    };
    const timer = setTimeout(giveUp, connectMs);
    signal.addEventListener('abort', giveUp);
    socket.on('connect', () => {
      settle(true);
    });
    socket.on('error', giveUp);
  });
}

/** Those of the places that take connections, in their order. */
export async function openPlaces<P extends Place>(places: readonly P[], signal: AbortSignal): Promise<readonly P[]> {
  const open = new Set<P>();
  const waiting = [...places];
  const worker = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      if (await isOpen(next, signal)) open.add(next);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return places.filter((place) => open.has(place));
}
