import type { ServerResponse } from 'node:http';

export interface ServerEvent {
  readonly event: 'memory_stored' | 'memory_recalled' | 'consolidated';
  readonly data: Readonly<Record<string, unknown>>;
}

export type StreamName = 'activities' | 'memories' | 'consolidation';

/** Listeners of the event streams. */
export interface EventHub {
  listen(name: StreamName, response: ServerResponse): void;
  publish(event: ServerEvent): void;
}

/** A listener that reads nothing is let go before it costs memory. */
const unreadBytesMax = 1024 * 1024;

const streamsOf: Record<ServerEvent['event'], readonly StreamName[]> = {
  memory_stored: ['activities', 'memories'],
  memory_recalled: ['activities'],
  consolidated: ['activities', 'consolidation'],
};

/** Starts a stream; the head goes out at once, as an event may be long in coming. */
export function startStream(response: ServerResponse): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    'access-control-allow-origin': '*',
  });
  response.flushHeaders();
}

export const eventText = (id: number, event: string, data: unknown): string =>
  `id: ${String(id)}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`;

export function createEventHub(): EventHub {
  const listeners: Record<StreamName, Set<ServerResponse>> = {
    activities: new Set(),
    memories: new Set(),
    consolidation: new Set(),
  };
  let last = 0;
  return {
    listen: (name, response) => {
      listeners[name].add(response);
      response.on('close', () => listeners[name].delete(response));
      startStream(response);
    },
    publish: ({ event, data }) => {
      last += 1;
      for (const name of streamsOf[event]) {
        for (const response of listeners[name]) {
          if (response.writableLength > unreadBytesMax) response.destroy();
          else response.write(eventText(last, event, data));
        }
      }
    },
  };
}
