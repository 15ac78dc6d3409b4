import { systemClock } from '../base/clock.js';
import type { Logger } from '../base/log.js';
import type { Config } from '../config/config.js';
import type { JsonValue } from '../model/audit.js';
import type { Meter } from '../model/meter.js';
import type { ComponentState } from '../probes/probes.js';
import type { Reloader } from '../reload/reload.js';
import { doorText, startSideDoors, type SideDoors, type SideDoorState } from '../sidedoors/sidedoors.js';

export interface SideDoorContext {
  readonly reloader: Reloader;
  readonly meter: Meter;
  readonly log: Logger;
  /** Where our own listeners are. */
  readonly urls: OwnUrls;
}

type OwnUrls = Readonly<Record<'gateway' | 'admin' | 'probes', string>>;

/** Begins to look for ways around us. What it looks at is asked before each look, as a reload may change it. */
export function openSideDoors({ reloader, meter, log, urls }: SideDoorContext): SideDoors {
  return startSideDoors(
    () => {
      const { loaded, profile } = reloader.current().sources;
      const { side_doors: options, upstream } = loaded.config;
      return {
        isOn: options.probe,
        intervalMs: options.interval_ms,
        upstream: upstreamPlace(upstream.url),
        doors: profile.data.side_doors,
        own: ownPlaces(loaded.config, urls),
        acceptedPorts: new Set(options.accepted_ports),
      };
    },
    { log, meter, nowMs: systemClock.nowMs },
  );
}

const hostOf = (text: string): string => text.replace(/^\[(.*)\]$/, '$1');

function upstreamPlace(url: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostOf(hostname), port: port === '' ? 80 : Number(port) };
}

/** Hosts as the configuration says them, for a wildcard is every address; ports as they came out, for 0 is any. */
const ownPlaces = (config: Config, urls: OwnUrls): readonly { readonly host: string; readonly port: number }[] =>
  (['gateway', 'admin', 'probes'] as const).map((name) => {
    const { listen } = config[name];
    return { host: hostOf(listen.slice(0, listen.lastIndexOf(':'))), port: Number(new URL(urls[name]).port) };
  });

/** For readiness, where an open side door is to keep clients away. */
export function sideDoorComponent(state: SideDoorState): ComponentState {
  if (state.lookedAtMs === null) return { ready: false, reason: 'side doors: not looked at yet' };
  const ports = [...new Set(state.open.filter(({ accepted }) => !accepted).map(({ port }) => port))];
  return ports.length === 0
    ? { ready: true, reason: null }
    : { ready: false, reason: `the memory server can be reached around memgate: port ${ports.join(', ')}` };
}

/** What the last look has found, for operators. */
export const sideDoorFacts = ({
  lookedAtMs,
  skipped,
  addresses,
  open,
}: SideDoorState): Readonly<Record<string, JsonValue>> => ({
  looked_at: lookedAtMs === null ? null : new Date(lookedAtMs).toISOString(),
  skipped,
  addresses,
  open: open.filter(({ accepted }) => !accepted).map(doorText),
  accepted: open.filter(({ accepted }) => accepted).map(doorText),
});
