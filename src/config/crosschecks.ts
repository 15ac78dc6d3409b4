import { isIP, isIPv4 } from 'node:net';
import type { Config } from './schema.js';

/** A fault that no single field shows: where it is told, and what is wanted. */
export interface CrossFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

type Check = (config: Config) => readonly (CrossFault | false | undefined)[];

const fault = (path: string, message: string): CrossFault => ({ path: path.split('.'), message });

/** Checks fields against each other, and forms that an expression cannot tell. */
export function crossFaults(config: Config): readonly CrossFault[] {
  const checks: readonly Check[] = [
    listeners,
    networks,
    hosts,
    tokens,
    authModes,
    observing,
    headers,
    sizes,
    times,
    staleness,
    serials,
  ];
  return checks.flatMap((check) => check(config)).filter((found) => found !== false && found !== undefined);
}

interface Address {
  readonly path: string;
  readonly host: string;
  readonly port: number;
}

function addressOf(path: string, text: string): Address {
  const cut = text.lastIndexOf(':');
  return { path, host: text.slice(0, cut).replace(/^\[|\]$/g, ''), port: Number(text.slice(cut + 1)) };
}

const loopback = new Set(['127.0.0.1', '::1', 'localhost']);
const wildcard = new Set(['0.0.0.0', '::', '0:0:0:0:0:0:0:0']);

/** True when both addresses may mean one socket; `localhost` may be either loopback address. */
const overlaps = (one: Address, other: Address): boolean =>
  one.port !== 0 &&
  one.port === other.port &&
  (one.host === other.host ||
    wildcard.has(one.host) ||
    wildcard.has(other.host) ||
    ((one.host === 'localhost' || other.host === 'localhost') && loopback.has(one.host) && loopback.has(other.host)));

function serverOf(path: string, url: string): Address {
  const { hostname, port } = new URL(url);
  return { path, host: hostname.replace(/^\[|\]$/g, ''), port: Number(port === '' ? 80 : port) };
}

function listeners({ gateway, admin, probes, upstream, grpc }: Config): CrossFault[] {
  if (!URL.canParse(upstream.url))
    return [fault('upstream.url', `"${upstream.url}" is not a URL; check host and port`)];
  if (grpc !== undefined && !URL.canParse(grpc.upstream))
    return [fault('grpc.upstream', `"${grpc.upstream}" is not a URL; check host and port`)];
  const own = [
    addressOf('gateway.listen', gateway.listen),
    addressOf('admin.listen', admin.listen),
    addressOf('probes.listen', probes.listen),
    ...(grpc === undefined ? [] : [addressOf('grpc.listen', grpc.listen)]),
  ];
  const servers = [serverOf('upstream.url', upstream.url)];
  if (grpc !== undefined) servers.push(serverOf('grpc.upstream', grpc.upstream));
  const faults = own.flatMap(({ path, host, port: number }) => [
    ...(number > 65_535 ? [fault(path, `has the port ${String(number)}, must be ≤ 65535`)] : []),
    ...(host !== 'localhost' && isIP(host) === 0 ? [fault(path, `"${host}" is not an address`)] : []),
  ]);
  for (const [index, listener] of own.entries()) {
    for (const other of own.slice(0, index)) {
      if (overlaps(listener, other))
        faults.push(fault(listener.path, `is the address of ${other.path}; take another port`));
    }
    for (const server of servers) {
      const near = wildcard.has(listener.host) ? loopback.has(server.host) || listener.host === server.host : true;
      if (near && overlaps(listener, server))
        faults.push(fault(server.path, `is the address of ${listener.path}: a loop`));
    }
  }
  return faults;
}

function networks({ gateway }: Config): (CrossFault | false)[] {
  return gateway.trusted_proxies.map((text, index) => {
    const [address = '', bits, more] = text.split('/');
    const most = isIPv4(address) ? 32 : 128;
    const wide = bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > most || Number(bits) === 0);
    const wrong = isIP(address) === 0 || address.includes('%') || more !== undefined || wide;
    return (
      wrong && {
        path: ['gateway', 'trusted_proxies', index],
        message: `"${text}" must be an address or a network such as 10.0.0.0/8, and not all addresses`,
      }
    );
  });
}

function hosts({ gateway }: Config): (CrossFault | false)[] {
  const form = /^(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;
  return gateway.allowed_hosts.map(
    (host, index) =>
      !form.test(host) && {
        path: ['gateway', 'allowed_hosts', index],
        message: `"${host}" must be a host in lower case, with a port where clients send one, such as memory.example.org:8443`,
      },
  );
}

function tokens({ static_tokens: list }: Config): (CrossFault | false)[] {
  return list.flatMap(({ id, spaces }, index) => [
    list.findIndex((other) => other.id === id) < index && {
      path: ['static_tokens', index, 'id'],
      message: `"${id}" stands here a second time; ids are unique`,
    },
    spaces.includes('*') &&
      spaces.length > 1 && {
        path: ['static_tokens', index, 'spaces'],
        message: '* holds every space; let it stand alone',
      },
  ]);
}

function authModes({ auth_mode: mode, static_tokens: list }: Config): (CrossFault | false)[] {
  const modes: readonly string[] = Array.isArray(mode) ? mode : [mode];
  return [
    new Set(modes).size < modes.length && fault('auth_mode', 'names a mode twice'),
    modes.includes('none') && modes.length > 1 && fault('auth_mode', 'none stands alone: it takes no credential'),
    modes.includes('static_token') &&
      list.length === 0 &&
      fault('static_tokens', 'is empty, but auth_mode holds static_token'),
  ];
}

function observing({ auth_mode: mode, enforcement, observe }: Config): (CrossFault | false)[] {
  const isEnforced = enforcement === 'enforce' && mode !== 'none';
  return [
    observe.length > 0 &&
      !isEnforced &&
      fault(
        'observe',
        'observes a part of what is enforced, and nothing is: leave it out, or set enforcement: enforce',
      ),
  ];
}

// Names that steer HTTP itself: a credential or an identity under one of them would break every request.
const steering =
  /^(?:host|connection|content-length|content-type|content-encoding|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*)$/i;

function headers({ identity_headers: names, upstream }: Config): CrossFault[] {
  const named = Object.entries(names).map(([field, name]) => ({ path: `identity_headers.${field}`, name }));
  if (upstream.credential?.header !== undefined)
    named.push({ path: 'upstream.credential.header', name: upstream.credential.header });
  const seen = new Map<string, string>();
  return named.flatMap(({ path, name }) => {
    if (name === null) return [];
    if (steering.test(name)) return [fault(path, `"${name}" steers HTTP itself; take another name`)];
    const earlier = seen.get(name.toLowerCase());
    seen.set(name.toLowerCase(), path);
    return earlier === undefined ? [] : [fault(path, `"${name}" is the name in ${earlier} too; take another one`)];
  });
}

function sizes({ audit, gateway, upstream: { objects } }: Config): (CrossFault | false)[] {
  const least = audit.reserve_bytes + 2 * audit.segment_bytes;
  return [
    audit.max_bytes < least &&
      fault(
        'audit.max_bytes',
        `is ${String(audit.max_bytes)}, must be ≥ reserve_bytes + 2 × segment_bytes, here ${String(least)}`,
      ),
    objects.answer_bytes_in_progress < objects.answer_max_bytes &&
      fault(
        'upstream.objects.answer_bytes_in_progress',
        `must be ≥ answer_max_bytes, here ${String(objects.answer_max_bytes)}`,
      ),
    gateway.inspect_max_bytes_in_progress < gateway.inspect_max_bytes &&
      fault(
        'gateway.inspect_max_bytes_in_progress',
        `must be ≥ inspect_max_bytes, here ${String(gateway.inspect_max_bytes)}`,
      ),
  ];
}

function serials({ policy: { verification }, data_dir_persistent: isPersistent }: Config): (CrossFault | false)[] {
  if (verification === undefined || isPersistent || !verification.require_serial) return [];
  return [
    verification.min_serial === undefined &&
      fault(
        'policy.verification.min_serial',
        'is needed where data_dir_persistent is false: after a restart nobody would know which policy is the newest',
      ),
  ];
}

function times({ upstream }: Config): (CrossFault | false)[] {
  return [
    upstream.headers_timeout_ms > upstream.deadline_ms &&
      fault('upstream.deadline_ms', `must be ≥ headers_timeout_ms, here ${String(upstream.headers_timeout_ms)}`),
  ];
}

/** Files that nobody looks at grow old by themselves: that says nothing about them. */
function staleness({ policy, reload }: Config): ReturnType<Check> {
  return [
    policy.max_staleness_ms !== undefined &&
      policy.server === undefined &&
      !reload.watch &&
      fault(
        'policy.max_staleness_ms',
        'needs policy.server or reload.watch: nobody else looks at the source by itself',
      ),
  ];
}
