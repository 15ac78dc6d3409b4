import { BlockList, isIP } from 'node:net';
import { normalAddress } from '../base/address.js';
import { no, ok, type Result } from '../base/result.js';

/**
 * Reads addresses and CIDR networks.
 *
 * @returns a test for membership, or the entry that is neither an address nor a network
 */
export function networkTest(entries: readonly string[]): Result<(address: string) => boolean, string> {
  if (entries.length === 0) return ok(() => false);
  const list = new BlockList();
  for (const entry of entries) {
    const [address = '', prefix, ...more] = entry.split('/');
    const family = isIP(address);
    const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
    if (family === 0 || more.length > 0 || !/^\d{1,3}$/.test(prefix ?? '0') || bits > (family === 6 ? 128 : 32))
      return no(entry);
    list.addSubnet(address, bits, family === 6 ? 'ipv6' : 'ipv4');
  }
  return ok((address) => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4');
  });
}

/**
 * The client behind trusted proxies: the right-most address of X-Forwarded-For that is not a trusted proxy itself.
 * Without a trusted peer the header is not read at all.
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | undefined,
  trusted: (address: string) => boolean,
): string {
  if (forwardedFor === undefined || !trusted(peer)) return peer;
  let client = peer;
  for (const part of forwardedFor.split(',').reverse()) {
    const address = normalAddress(part.trim());
    if (isIP(address) === 0) return client; // what stands left of garbage cannot be believed
    client = address;
    if (!trusted(address)) return client;
  }
  return client;
}
