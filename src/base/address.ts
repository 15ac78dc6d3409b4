import { isIPv4, isIPv6 } from 'node:net';

const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i;

/**
 * One spelling for one address: IPv4-mapped IPv6 becomes IPv4 and a zone is cut,
 * so that nothing behind it sees two forms of one client (Rego's `net.cidr_contains` does).
 */
export function normalAddress(address: string | undefined): string {
  if (address === undefined || address === '') return 'unknown';
  const zone = address.indexOf('%');
  const bare = (zone < 0 ? address : address.slice(0, zone)).toLowerCase();
  const inner = mapped.exec(bare)?.[1];
  return inner !== undefined && isIPv4(inner) ? inner : bare;
}

let lastAddress = '';
let lastGroup = '';

/** The unit that failure budgets count by: an IPv4 address, or the /64 of an IPv6 address. */
export function addressGroup(address: string): string {
  // One request asks several times, and IPv4 needs no look at all.
  if (address === lastAddress) return lastGroup;
  lastGroup = address.includes(':') && isIPv6(address) ? networkOf(address) : address;
  lastAddress = address;
  return lastGroup;
}

function networkOf(address: string): string {
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right];
  return `${groups.slice(0, 4).join(':')}::/64`;
}
