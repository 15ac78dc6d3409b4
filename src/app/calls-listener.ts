import { systemClock } from '../base/clock.js';
import { messageOf, type Logger } from '../base/log.js';
import {
  createCallHandle,
  listenForCalls,
  type CallGeneration,
  type CallListener,
  type CallListenOptions,
} from '../grpc/grpc.js';
import type { Reloader } from '../reload/reload.js';
import type { Parts } from './parts.js';

interface CallContext {
  readonly parts: Parts;
  readonly reloader: Reloader;
  readonly log: Logger;
}

type Settings = NonNullable<Parts['calls']>['settings'];

type Open = (
  field: string,
  place: string,
  open: (address: { readonly host: string; readonly port: number }) => Promise<CallListener>,
) => Promise<CallListener>;

/** Opens the listener for gRPC, where there is one. */
export async function openCallListener(
  { parts, reloader, log }: CallContext,
  opened: Open,
): Promise<CallListener | null> {
  const { calls, meter, pressure, inspectBudget: budget } = parts;
  if (calls === null) return null;
  const { settings } = calls;
  const bug = (thrown: unknown): void => {
    log.error('bug', { message: messageOf(thrown) });
  };
  const current = (): CallGeneration => {
    const { calls: generation } = reloader.current();
    if (generation === null) throw new Error('a listener for calls without stages for them');
    return generation;
  };
  return opened('grpc.listen', settings.listen, (address) =>
    listenForCalls(
      { ...address, ...boundsOf(settings) },
      {
        clock: systemClock,
        meter,
        bug,
        budget,
        enter: pressure.enter,
        handle: createCallHandle({ clock: systemClock, generation: current, bug }),
        shed: (facts) => {
          reloader.current().shared.record.shed(facts);
        },
        malformed: (facts) => {
          reloader.current().malformed(facts);
        },
        messageLimits: () => messageLimits(reloader.current().sources.loaded.config.grpc ?? settings),
      },
    ),
  );
}

const boundsOf = (settings: Settings): Omit<CallListenOptions, 'host' | 'port'> => ({
  maxConnections: settings.max_connections,
  maxConnectionsPerAddress: settings.max_connections_per_address,
  maxCallsPerConnection: settings.max_calls_per_connection,
  maxResetsPerMinute: settings.max_resets_per_minute,
  idleTimeoutMs: settings.idle_timeout_ms,
});

const messageLimits = (settings: Settings): { readonly maxBytes: number; readonly timeoutMs: number } => ({
  maxBytes: settings.max_message_bytes,
  timeoutMs: settings.message_timeout_ms,
});
