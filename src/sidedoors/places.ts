import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Place } from './connect.js';

/** A port behind which the memory server can be reached, if it listens there on more than loopback. */
export interface Door {
  readonly port: number;
  /** What the port is, as the profile says. */
  readonly what: string;
}

export interface DoorPlace extends Place {
  readonly door: Door;
}

/** More than any machine of one pod has; the rest is said, not looked at. */
const addressesMax = 16;

/** Addresses of this machine that others can reach: of interfaces that are not loopback. */
export function ownAddresses(): readonly string[] {
  const all = Object.entries(networkInterfaces()).flatMap(([name, entries = []]) =>
    entries
      .filter(({ internal }) => !internal)
      .map(({ address, scopeid }) => (scopeid === undefined || scopeid === 0 ? address : `${address}%${name}`)),
  );
  return [...new Set(all)].slice(0, addressesMax);
}

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const isLoopback = (address: string): boolean => loopback.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');

/**
 * Whether the memory server runs on this machine: only then are its ports ours to try.
 *
 * @throws Error where its name cannot be looked up: nobody knows then, and what was found before stands
 */
export async function isHere(host: string, addresses: readonly string[]): Promise<boolean> {
  const found = isIP(host) === 0 ? await lookup(host, { all: true }) : [{ address: host }];
  return found.some(({ address }) => isLoopback(address) || addresses.includes(address));
}

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

/** Every door at every address, but for listeners of our own: they are the way in. */
export function placesOf(
  doors: readonly Door[],
  addresses: readonly string[],
  own: readonly { readonly host: string; readonly port: number }[],
): readonly DoorPlace[] {
  const isOurs = (address: string, port: number): boolean =>
    own.some((listener) => listener.port === port && (wildcards.has(listener.host) || listener.host === address));
  return doors.flatMap((door) =>
    addresses.filter((address) => !isOurs(address, door.port)).map((address) => ({ address, port: door.port, door })),
  );
}
