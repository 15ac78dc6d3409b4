import type { ServerResponse } from 'node:http';
import { systemClock } from '../base/clock.js';
import { kept } from '../base/kept.js';
import { messageOf, type Logger } from '../base/log.js';
import { createAdmin } from '../admin/admin.js';
import type { CloseStack } from '../base/close-stack.js';
import type { Config, LoadedConfig } from '../config/config.js';
import {
  answerPublished,
  createHandle,
  listen,
  type Generation,
  type Listener,
  type ListenOptions,
} from '../gateway/gateway.js';
import { refuse } from '../model/codes.js';
import { freePlace, type Place, type Share } from '../model/place.js';
import type { RawRequest } from '../model/request.js';
import type { ShedCode } from '../pressure/pressure.js';
import { startProbes } from '../probes/probes.js';
import type { Reloader } from '../reload/reload.js';
import { adminActions } from './admin-actions.js';
import { openCallListener } from './calls-listener.js';
import type { Explainer } from './explain.js';
import type { Parts } from './parts.js';
import type { ShadowDesk } from './shadow-desk.js';
import type { Status } from './status.js';

/** What has not ended by itself is told so, this long before it is cut. */
const farewellMs = 1_000;

export interface Listeners {
  readonly urls: { readonly gateway: string; readonly admin: string; readonly probes: string; readonly grpc?: string };
}

export interface ListenersContext {
  readonly loaded: LoadedConfig;
  readonly parts: Parts;
  readonly reloader: Reloader;
  readonly status: Status;
  readonly desk: ShadowDesk;
  readonly explain: Explainer;
  readonly log: Logger;
  readonly stack: CloseStack;
}

/** Opens probes, admin and gateway, in that order: who may ask whether we are ready comes first, clients last. */
export async function openListeners(context: ListenersContext): Promise<Listeners> {
  const { loaded, parts, reloader, status, stack } = context;
  const { config } = loaded;
  const probes = await opened('probes.listen', config.probes.listen, (address) =>
    startProbes(
      { ...address, maxConnections: config.probes.max_connections },
      {
        components: status.components,
        upstream: status.upstream,
        metrics: async () => ({ type: parts.meter.contentType, text: await parts.meter.text() }),
      },
    ),
  );
  stack.opened(probes.close);
  const open: Pick<Listener, 'close'>[] = [];
  stack.opened(async () => {
    probes.drain();
    const drainMs = reloader.current().sources.loaded.config.drain_ms;
    const farewell = setTimeout(
      () => {
        parts.leases.endAll(refuse('lease.shutdown', 'drain_ms is nearly over'));
      },
      Math.max(0, drainMs - farewellMs),
    );
    await Promise.all(open.map((listener) => listener.close(drainMs)));
    clearTimeout(farewell);
  });
  const admin = await openListener(context, adminOpening(context));
  open.push(admin);
  const gateway = await openListener(context, gatewayOpening(context));
  open.push(gateway);
  const calls = await openCallListener(context, opened);
  if (calls !== null) open.push(calls);
  status.listening();
  parts.meter.gauge('open_connections', () => gateway.openConnections());
  parts.meter.gauge('requests_in_progress', () => gateway.inProgress());
  const probesUrl = urlOf({ host: addressOf(config.probes.listen).host, port: probes.port });
  const urls = { gateway: urlOf(gateway), admin: urlOf(admin), probes: probesUrl };
  return { urls: calls === null ? urls : { ...urls, grpc: urlOf(calls) } };
}

interface Opening {
  /** Where the configuration says so. */
  readonly field: string;
  readonly place: string;
  readonly connections: Pick<ListenOptions, 'maxConnections' | 'maxConnectionsPerAddress'>;
  readonly generation: () => Generation;
  readonly enter: (share: Share) => Place | ShedCode;
}

const bugTeller =
  (log: Logger) =>
  (thrown: unknown): void => {
    log.error('bug', {
      message: messageOf(thrown),
      where: thrown instanceof Error ? (thrown.stack?.split('\n')[1]?.trim() ?? '') : '',
    });
  };

function openListener(
  { parts, reloader, loaded, log }: ListenersContext,
  { field, place, connections, generation, enter }: Opening,
): Promise<Listener> {
  const bug = bugTeller(log);
  const limitsOf = kept((now: Config['gateway']) => ({
    timeoutMs: now.body_timeout_ms,
    minBytesPerSecond: now.body_min_bytes_per_second,
    budget: parts.inspectBudget,
    monotonicMs: systemClock.monotonicMs,
  }));
  const handle = createHandle(bug);
  return opened(field, place, (address) =>
    listen(
      { ...address, ...boundsOf(loaded), ...connections },
      {
        clock: systemClock,
        meter: parts.meter,
        bug,
        handle: (raw: RawRequest, response: ServerResponse) => {
          const now = generation();
          const isPublished = answerPublished(now.published, raw, { response, meter: parts.meter });
          return isPublished ? Promise.resolve() : handle(raw, response, now);
        },
        enter,
        shed: (facts) => {
          reloader.current().shared.record.shed(facts);
        },
        malformed: (facts) => {
          reloader.current().malformed(facts);
        },
        bodyLimits: () => limitsOf(reloader.current().sources.loaded.config.gateway),
      },
    ),
  );
}

function adminOpening(context: ListenersContext): Opening {
  const { listen: place, max_connections: maxConnections } = context.loaded.config.admin;
  const adminOf = createAdmin(adminActions(context));
  return {
    field: 'admin.listen',
    place,
    connections: { maxConnections, maxConnectionsPerAddress: maxConnections },
    generation: () => adminOf(context.reloader.current()),
    enter: () => freePlace, // operators are let in when clients are turned away
  };
}

function gatewayOpening({ loaded, reloader, parts }: ListenersContext): Opening {
  const {
    listen: place,
    max_connections: maxConnections,
    max_connections_per_address: perAddress,
  } = loaded.config.gateway;
  return {
    field: 'gateway.listen',
    place,
    connections: { maxConnections, maxConnectionsPerAddress: perAddress },
    generation: () => reloader.current(),
    enter: parts.pressure.enter,
  };
}

const boundsOf = ({
  config: { gateway },
}: LoadedConfig): Omit<ListenOptions, keyof Address | keyof Opening['connections']> => ({
  maxPipelinedPerConnection: gateway.max_pipelined_per_connection,
  maxPipelined: gateway.max_requests_in_progress,
  headersTimeoutMs: gateway.headers_timeout_ms,
  answerStallTimeoutMs: gateway.answer_stall_timeout_ms,
  keepAliveTimeoutMs: gateway.keep_alive_timeout_ms,
});

interface Address {
  readonly host: string;
  readonly port: number;
}

const listenFaults: Readonly<Record<string, string>> = {
  EADDRINUSE: 'something listens there already (EADDRINUSE): stop it, or name another port',
  EADDRNOTAVAIL: 'this machine has no such address (EADDRNOTAVAIL)',
  EACCES: 'this user may not listen there (EACCES): name a port from 1024 on',
};

/** Opens one listener; a failure names the field that the address came from. */
async function opened<T>(field: string, place: string, open: (address: Address) => Promise<T>): Promise<T> {
  try {
    return await open(addressOf(place));
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    throw new Error(`${field}: cannot listen on ${place}: ${listenFaults[code] ?? messageOf(cause)}`, { cause });
  }
}

/** Splits ADDRESS:PORT, as the schema has checked it. */
function addressOf(place: string): Address {
  const colon = place.lastIndexOf(':');
  return { host: place.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(place.slice(colon + 1)) };
}

/** How to reach it from this machine: an unspecified address is shown as loopback. */
function urlOf({ host, port }: { readonly host: string; readonly port: number }): string {
  const shown = host === '::' || host === '0.0.0.0' ? '127.0.0.1' : host;
  return `http://${shown.includes(':') ? `[${shown}]` : shown}:${String(port)}`;
}
