import { isIPv6 } from 'node:net';

const registered = /^(?=.{1,255}$)[a-z0-9](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9](?:[a-z0-9_-]{0,62}))*\.?$/;
const form = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/;

/**
 * Normal form of a Host header: lower case, no trailing dot. Null for anything but one host with an optional port.
 *
 * @see RFC 9110 §7.2
 */
export function normalHost(value: string): string | null {
  const parts = form.exec(value.toLowerCase());
  const name = parts?.[1];
  if (name === undefined) return null;
  const port = parts?.[2];
  if (port !== undefined && Number(port) > 65_535) return null;
  const suffix = port === undefined ? '' : `:${port}`;
  if (name.startsWith('[')) return isIPv6(name.slice(1, -1)) ? name + suffix : null;
  if (!registered.test(name)) return null;
  return (name.endsWith('.') ? name.slice(0, -1) : name) + suffix;
}
