import { setImmediate } from 'node:timers';
import { messageOf, type Logger } from '../base/log.js';
import type { Meter } from '../model/meter.js';
import { openPlaces } from './connect.js';
import { isHere, ownAddresses, placesOf, type Door, type DoorPlace } from './places.js';

export type { Door } from './places.js';

/** What to look at; asked before each look, as a reload may change all of it. */
export interface SideDoorSettings {
  readonly isOn: boolean;
  readonly intervalMs: number;
  /** Where the memory server is for us. */
  readonly upstream: { readonly host: string; readonly port: number };
  readonly doors: readonly Door[];
  /** Listeners of our own, which are no side doors. */
  readonly own: readonly { readonly host: string; readonly port: number }[];
  /** Ports that are known to be open and shut by other means. */
  readonly acceptedPorts: ReadonlySet<number>;
}

export interface SideDoorPorts {
  readonly log: Logger;
  readonly meter: Meter;
  readonly nowMs: () => number;
  /** Addresses to look at; those of the machine's interfaces when absent. */
  readonly addresses?: () => readonly string[];
}

/** A way around the gateway: who reaches that address needs no key. */
export interface OpenDoor {
  readonly what: string;
  readonly port: number;
  readonly address: string;
  /** Shut by other means, as the configuration says. */
  readonly accepted: boolean;
}

/** What the last look has found. */
export interface SideDoorState {
  /** Unix time in ms; null before the first look, and where nobody looks. */
  readonly lookedAtMs: number | null;
  /** Why there was nothing to look at; null where there was. */
  readonly skipped: 'off' | 'the memory server is on another machine' | 'no address but loopback' | null;
  readonly addresses: number;
  readonly open: readonly OpenDoor[];
}

export interface SideDoors {
  state(): SideDoorState;
  stop(): void;
}

/** Looks now and again whether the memory server can be reached around us, from the machine's own addresses and nowhere else. */
export function startSideDoors(settings: () => SideDoorSettings, ports: SideDoorPorts): SideDoors {
  return new SideDoorWatch(settings, ports);
}

const nothing: SideDoorState = { lookedAtMs: null, skipped: null, addresses: 0, open: [] };

class SideDoorWatch implements SideDoors {
  readonly #settings: () => SideDoorSettings;
  readonly #ports: SideDoorPorts;
  readonly #stopping = new AbortController();
  #state = nothing;
  #told = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(settings: () => SideDoorSettings, ports: SideDoorPorts) {
    this.#settings = settings;
    this.#ports = ports;
    ports.meter.labelled('side_doors_open', () => this.#figures());
    setImmediate(this.#run); // the start does not wait for it
  }

  state(): SideDoorState {
    return this.#state;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#stopping.abort();
  }

  readonly #run = (): void => {
    this.#look()
      .catch((thrown: unknown) => {
        this.#ports.log.error('side-doors.failed', { message: messageOf(thrown) });
      })
      .finally(() => {
        if (!this.#stopping.signal.aborted) this.#timer = setTimeout(this.#run, this.#settings().intervalMs).unref();
      });
  };

  async #look(): Promise<void> {
    const settings = this.#settings();
    const addresses = settings.isOn ? (this.#ports.addresses ?? ownAddresses)() : [];
    const skipped = await whySkipped(settings, addresses);
    const places = skipped === null ? placesOf(allDoors(settings), addresses, settings.own) : [];
    const open = await openPlaces(places, this.#stopping.signal);
    if (this.#stopping.signal.aborted) return;
    this.#state = {
      lookedAtMs: this.#ports.nowMs(),
      skipped,
      addresses: addresses.length,
      open: open.map((place) => seen(place, settings)),
    };
    this.#tell();
  }

  /** A change is told once, not every minute. */
  #tell(): void {
    const open = this.#state.open.map(doorText);
    const text = open.join(', ');
    if (text === this.#told) return;
    this.#told = text;
    if (open.length === 0) this.#ports.log.info('side-doors.shut');
    else if (this.#state.open.every(({ accepted }) => accepted)) this.#ports.log.info('side-doors.accepted', { open });
    else
      this.#ports.log.warn('side-doors.open', {
        open,
        meaning:
          'whoever reaches these needs no key: bind the memory server to 127.0.0.1, or shut the ports with a network policy',
      });
  }

  /** By port: at how many addresses it is open. */
  #figures(): readonly (readonly [string, number])[] {
    if (this.#state.lookedAtMs === null || this.#state.skipped === 'off') return [];
    const { upstream, doors } = this.#settings();
    const ports = new Set([upstream.port, ...doors.map(({ port }) => port)]);
    return [...ports].map((port) => [
      String(port),
      this.#state.open.filter((door) => door.port === port && !door.accepted).length,
    ]);
  }
}

async function whySkipped(settings: SideDoorSettings, addresses: readonly string[]): Promise<SideDoorState['skipped']> {
  if (!settings.isOn) return 'off';
  if (addresses.length === 0) return 'no address but loopback';
  return (await isHere(settings.upstream.host, addresses)) ? null : 'the memory server is on another machine';
}

/** The server's own port is a door like the others; one that the profile lists as well counts once. */
function allDoors({ upstream, doors }: SideDoorSettings): readonly Door[] {
  const others = doors.filter(({ port }) => port !== upstream.port);
  return [{ port: upstream.port, what: 'the memory server itself' }, ...others];
}

const seen = ({ address, port, door }: DoorPlace, { acceptedPorts }: SideDoorSettings): OpenDoor => ({
  what: door.what,
  port,
  address,
  accepted: acceptedPorts.has(port),
});

/** One line for people. */
export const doorText = ({ what, port, address }: OpenDoor): string =>
  `${what} at ${address.includes(':') ? `[${address}]` : address}:${String(port)}`;
